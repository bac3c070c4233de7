// SPDX-License-Identifier: MIT
// inspect_code: the passes over notes and over the code itself, which must not be zeros that nobody wrote yet.
#include <algorithm>

#include "inspect_passes.hpp"

namespace autoreload::inspecting {
namespace {

// A run of zeros that no compiler's code has: long immediates and displacements make up to a dozen in a row on x86-64,
// and no aarch64 instruction is zero.
constexpr std::size_t word = 8;
bool has_hole(std::span<const std::byte> code) noexcept {
  bool zero_before = false;
  for (std::size_t at = 0; at + word <= code.size(); at += word) {
    std::uint64_t bytes;
    std::memcpy(&bytes, code.data() + at, word);
    if (bytes == 0 && zero_before) return true;
    zero_before = bytes == 0;
  }
  return false;
}

// The unwind table lists where every function starts, exported or not, and where its frame description is. Its
// format is DWARF's, in the only encoding that the linkers write.
struct unwind_header {
  std::uint8_t version, frame_encoding, count_encoding, table_encoding;
  std::int32_t frames;
  std::uint32_t count;
};
struct unwind_entry {
  std::int32_t function, description;  // relative to the header
};
struct frame_description {
  std::uint32_t length;
  std::uint32_t common;
  std::int32_t function;  // relative to itself
  std::uint32_t size;
};
constexpr std::uint8_t pc_relative_int = 0x1b, plain_uint = 0x03, table_relative_int = 0x3b;

std::uint64_t relative(std::uint64_t base, std::int32_t distance) noexcept {
  return base + static_cast<std::uint64_t>(static_cast<std::int64_t>(distance));
}

outcome listed_functions_are_written(const image& lib) {
  if (!lib.unwind_table) return passed;
  const std::uint64_t base = lib.unwind_table->p_vaddr;
  const auto start = lib.span_at(base, std::min<std::uint64_t>(lib.unwind_table->p_filesz, sizeof(unwind_header)));
  if (!start || start->size() < sizeof(unwind_header)) return passed;
  if (all_zero(*start)) return unfinished("the unwind table at " + hex(base) + " is still zeros");
  unwind_header header;
  std::memcpy(&header, start->data(), sizeof header);
  if (header.version != 1) return damaged("the unwind table has version " + grouped(header.version));
  if (header.frame_encoding != pc_relative_int || header.count_encoding != plain_uint ||
      header.table_encoding != table_relative_int) {
    return passed;  // a rare, but legal form; nothing but exceptions depends on it
  }
  const auto entries = lib.table_at<unwind_entry>(base + sizeof header, header.count);
  if (!entries || sizeof header + header.count * sizeof(unwind_entry) > lib.unwind_table->p_filesz) {
    return damaged("the unwind table is said to list " + grouped(header.count) + " functions");
  }
  for (const unwind_entry entry : *entries) {
    const std::uint64_t function = relative(base, entry.function);
    const std::uint64_t described_at = relative(base, entry.description);
    const auto description = lib.record_at<frame_description>(described_at);
    if (!description || !lib.in_code(function)) {
      return damaged("the unwind table lists a function at " + hex(function) + ", where no code is");
    }
    if (description->length == 0) {
      return unfinished("the description of the function at " + hex(function) + " is still zeros");
    }
    // Longer forms of the description exist; this one proves itself by naming the same function.
    if (relative(described_at + offsetof(frame_description, function), description->function) != function) continue;
    const auto code = lib.span_at(function, description->size);
    if (!code) {
      return damaged("the function at " + hex(function) + " is said to have " + grouped(description->size) + " bytes");
    }
    if (has_hole(*code)) return unfinished("parts of the code at " + hex(function) + " are still zeros");
  }
  return passed;
}

}  // namespace

code_at look_at_code(const image& lib, std::uint64_t address) {
  if (!lib.in_code(address)) return code_at::outside;
  const load_segment& load = *lib.holding(address, 1);
  const std::uint64_t into = address - load.address;
  const std::uint64_t size = std::min<std::uint64_t>(4, load.file_size - into);
  return all_zero(lib.file.subspan(load.offset + into, size)) ? code_at::zeros : code_at::there;
}

outcome notes_are_whole(image& lib) {
  for (const Elf64_Phdr segment : lib.programs) {
    if (segment.p_type != PT_NOTE) continue;
    const std::uint64_t alignment = segment.p_align == 8 ? 8 : 4;
    const auto padded = [&](std::uint64_t size) { return (size + alignment - 1) & ~(alignment - 1); };
    std::uint64_t left = segment.p_filesz;
    for (std::uint64_t at = segment.p_vaddr; left >= sizeof(Elf64_Nhdr);) {
      const Elf64_Nhdr note = *lib.record_at<Elf64_Nhdr>(at);  // the segment is in the file: see program_headers_agree
      const std::uint64_t content = padded(sizeof note + note.n_namesz);
      if (content + note.n_descsz > left) {
        return damaged("a note of " + grouped(content + note.n_descsz) + " bytes is in a segment of " + grouped(left));
      }
      if (note.n_namesz == 0 && note.n_descsz == 0 && note.n_type == 0) {
        return unfinished("a note at " + hex(at) + " is still zeros");
      }
      const auto id = *lib.span_at(at + content, note.n_descsz);
      if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == sizeof ELF_NOTE_GNU &&
          std::memcmp(lib.bytes(at + sizeof note, sizeof ELF_NOTE_GNU), ELF_NOTE_GNU, sizeof ELF_NOTE_GNU) == 0) {
        // ld.bfd writes it last of all.
        if (all_zero(id)) return unfinished("the build-id is still zeros");
        lib.answer.facts.build_id.assign(id.begin(), id.end());
      }
      const std::uint64_t step = std::min(left, padded(content + note.n_descsz));
      at += step;
      left -= step;
    }
  }
  return passed;
}

outcome code_is_written(image& lib) {
  for (std::size_t i = 1; i != lib.symbols.size(); ++i) {
    const Elf64_Sym symbol = lib.symbols[i];
    const unsigned type = ELF64_ST_TYPE(symbol.st_info);
    if (symbol.st_shndx == SHN_UNDEF || symbol.st_shndx == SHN_ABS) continue;
    if (type != STT_FUNC && type != STT_GNU_IFUNC) continue;
    const char* const name = lib.strings.at(symbol.st_name);
    const auto code = lib.span_at(symbol.st_value, symbol.st_size);
    if (look_at_code(lib, symbol.st_value) == code_at::zeros || (code && has_hole(*code))) {
      return unfinished("parts of the function \"" + std::string(name) + "\" at " + hex(symbol.st_value) +
                        " are still zeros");
    }
  }
  return listed_functions_are_written(lib);
}

}  // namespace autoreload::inspecting
