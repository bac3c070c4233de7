// SPDX-License-Identifier: MIT
// inspect_code: the passes over notes, the unwind table and the code itself, which must not be zeros nobody wrote yet.
#include <algorithm>
#include <bit>
#include <new>

#include "reload/inspect/passes.hpp"

namespace autoreload::inspecting {
namespace {

// A run of zeros that no compiler's code has: no more than nine in a row stand in all the code of 1,800 libraries, for
// an immediate, a displacement and the byte before them; and no aarch64 instruction is zero.
constexpr std::size_t longest_run = 9;

bool has_hole(std::span<const std::byte> code) noexcept {
  if (code.size() < 8) return false;
  const auto zero = [&](std::size_t at) { return code[at] == std::byte{0}; };
  for (std::size_t at = 0; at + 8 <= code.size(); at += 8) {
    std::uint64_t word;
    std::memcpy(&word, code.data() + at, sizeof word);
    if (word != 0) continue;
    std::size_t start = at, end = at + 8;
    while (start != 0 && zero(start - 1)) --start;
    while (end != code.size() && end - start <= longest_run && zero(end)) ++end;
    if (end - start > longest_run) return true;
  }
  return false;
}

// Of a page of zeros nobody believes that it is meant: so looks a file whose writer, or whose machine, was stopped.
bool has_empty_page(const image& lib, std::span<const std::byte> code) noexcept {
  constexpr std::size_t page = 4096;
  const auto offset = static_cast<std::size_t>(code.data() - lib.file.data());
  for (std::size_t at = (page - offset % page) % page; at + page <= code.size(); at += page) {
    if (all_zero(code.subspan(at, page))) return true;
  }
  return false;
}

bool begins_with_zeros(std::span<const std::byte> code) noexcept {
  std::uint32_t first = 1;
  if (code.size() < sizeof first) return !code.empty() && all_zero(code);
  std::memcpy(&first, code.data(), sizeof first);
  return first == 0;
}

// The unwind table's format is DWARF's; all linkers write it in the same one of its many encodings.
struct unwind_header {
  std::uint8_t version, frame_encoding, count_encoding, table_encoding;
  std::int32_t frames;
  std::uint32_t count;
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

// The size that the frame description gives; nothing when it is in one of the rarer forms. This form proves itself by
// naming the same function as the table does. In the wider form of large code models, the upper half of the function's
// address stands where the size is here: all zeros or all ones.
std::optional<std::uint32_t> size_by(const frame_description& description, std::uint64_t at, std::uint64_t function) {
  if (relative(at + offsetof(frame_description, function), description.function) != function) return std::nullopt;
  if (description.size == 0 || description.size == UINT32_MAX) return std::nullopt;
  return description.size;
}

// `code` is that of the function at an address.
outcome code_has_no_hole(const image& lib, std::span<const std::byte> code, std::uint64_t function,
                         std::string_view name) {
  const bool starts = !begins_with_zeros(code);
  if (starts && !has_hole(code)) return passed;
  const std::string what = (name.empty() ? "the code" : "the function " + std::string(name)) + " at " + hex(function);
  if (!starts) return unfinished("parts of " + what + " are still zeros");
  if (auto no = perhaps_unfinished(lib, "parts of " + what + " are still zeros")) return no;
  if (!has_empty_page(lib, code)) return passed;
  refusal no = unfinished("a whole page of " + what + " is zeros");
  no.advice = "link it again; where the zeros are meant, put them into .rodata, or run autoreload-digest on it";
  return no;
}

}  // namespace

void function_index::make(const table<function_entry>& functions, std::uint64_t base) noexcept {
  if (functions.size() < 16 || functions.size() > UINT32_MAX) return;  // found as fast without
  const std::uint64_t first = relative(base, functions[0].function);
  const std::uint64_t last = relative(base, functions[functions.size() - 1].function);
  shift_ = 0;
  pieces_ = std::bit_ceil(std::min(2 * functions.size(), most_pieces));
  at_.reset(new (std::nothrow) std::uint32_t[pieces_ + 1]);
  if (at_ == nullptr) return;
  while ((last - first) >> shift_ >= pieces_) ++shift_;
  std::size_t piece = 0;
  std::uint32_t index = 0;
  for (const function_entry entry : functions) {
    const std::uint64_t into = relative(base, entry.function) - first;
    const auto reached = static_cast<std::size_t>(into >> shift_);
    // The pieces that begin behind the function before, up to the one that this is in.
    for (; piece <= reached; ++piece) at_[piece] = piece << shift_ == into ? index : index - 1;
    ++index;
  }
  for (; piece <= pieces_; ++piece) at_[piece] = index - 1;
  start_ = first;
}

bool image::describes(std::uint64_t start, std::uint64_t size) const noexcept {
  if (functions.empty()) return false;
  // Few functions are in one piece of the index: two steps do, and which way they go nobody can guess.
  std::size_t found = function_places.around(start, functions.size()).first;
  for (int step = 0; step != 2; ++step) {
    const std::size_t next = std::min(found + 1, functions.size() - 1);
    found = relative(functions_base, functions[next].function) <= start ? next : found;
  }
  const function_entry function = functions[found];
  const std::uint64_t described_at = relative(functions_base, function.description);
  if (relative(functions_base, function.function) != start) return false;
  if (!descriptions.has(described_at, sizeof(frame_description))) return false;
  const std::byte* const at = first_description + (described_at - descriptions.start);
  return size_by(table<frame_description>(at, 1)[0], described_at, start) == size;
}

std::optional<code_range> image::function_around(std::uint64_t address) const {
  if (functions.empty()) return std::nullopt;
  const auto [first, end] = function_places.around(address, functions.size());
  std::size_t last = first;  // in the end the last entry at or before the address; the steps are free of branches
  for (std::size_t count = end - first + 1; count > 1;) {
    const std::size_t half = count / 2;
    last += relative(functions_base, functions[last + half].function) <= address ? half : 0;
    count -= half;
  }
  const function_entry found = functions[last];
  const std::uint64_t function = relative(functions_base, found.function);
  const std::uint64_t described_at = relative(functions_base, found.description);
  const auto description = record_at<frame_description>(described_at);
  const auto size = description ? size_by(*description, described_at, function) : std::nullopt;
  if (!size || address - function >= *size) return std::nullopt;
  return code_range{function, function + *size};
}

bool image::cuts_a_function(std::uint64_t start, std::uint64_t size) const {
  const std::uint64_t end = start + size;
  const auto first = function_around(start);
  if (first && first->start == start && first->end == end) return false;  // as good as always
  if (first && first->start != start && end > first->end) return true;
  const auto last = size == 0 ? std::nullopt : function_around(end - 1);
  return last && last->end != end && start <= last->start;
}

code_at look_at_code(const image& lib, std::uint64_t address) {
  if (!lib.in_code(address)) return code_at::outside;
  // Functions without a frame description exist, but nobody calls into the middle of one that has it.
  const auto around = lib.function_around(address);
  if (around) return around->start == address ? code_at::there : code_at::inside;
  const load_segment& load = *lib.holding(address, 1);
  const std::uint64_t into = address - load.address;
  return begins_with_zeros(lib.file.subspan(load.offset + into, load.file_size - into)) ? code_at::zeros
                                                                                        : code_at::there;
}

outcome code_is_written(const image& lib, std::uint64_t function, std::uint64_t size, const char* name) {
  if (const auto known = lib.function_around(function); known && known->start == function) return passed;
  if (look_at_code(lib, function) == code_at::zeros) {
    return unfinished("parts of the function " + in_quotes(name) + " at " + hex(function) + " are still zeros");
  }
  const auto code = lib.span_at(function, size);
  return code ? code_has_no_hole(lib, *code, function, in_quotes(name)) : passed;
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
        if (all_zero(id)) {
          if (auto no = perhaps_unfinished(lib, "the build-id is still zeros")) return no;
        }
        lib.answer.facts.build_id.assign(id.begin(), id.end());
      }
      const std::uint64_t step = std::min(left, padded(content + note.n_descsz));
      at += step;
      left -= step;
    }
  }
  return passed;
}

outcome unwind_table_is_whole(image& lib) {
  if (!lib.unwind_table) return passed;
  const std::uint64_t base = lib.unwind_table->p_vaddr;
  const std::uint64_t size = lib.unwind_table->p_filesz;
  const auto read = lib.record_at<unwind_header>(base);
  if (!read || size < sizeof(unwind_header)) return passed;  // without a table: the unwinder does without
  const unwind_header header = *read;
  if (all_zero(*lib.span_at(base, sizeof header))) {
    return unfinished("the unwind table at " + hex(base) + " is still zeros");
  }
  if (header.version != 1) return damaged("the unwind table has version " + grouped(header.version));
  if (header.frame_encoding != pc_relative_int || header.count_encoding != plain_uint ||
      header.table_encoding != table_relative_int) {
    return passed;  // a legal form that no linker writes; nothing but exceptions depends on it
  }
  const auto entries = lib.table_at<function_entry>(base + sizeof header, header.count);
  if (!entries || sizeof header + header.count * sizeof(function_entry) > size) {
    return damaged("the unwind table is said to list " + grouped(header.count) + " functions");
  }
  std::uint64_t before = 0;
  segment_memory frames(lib), text(lib);
  for (const function_entry entry : *entries) {
    const std::uint64_t function = relative(base, entry.function);
    const std::uint64_t described_at = relative(base, entry.description);
    const auto description = frames.record_at<frame_description>(described_at);
    if (!description || !text.in_code(function) || function < before) {
      return damaged("the unwind table lists a function at " + hex(function) + ", where none can be");
    }
    before = function;
    if (description->length == 0) {
      return unfinished("the description of the function at " + hex(function) + " is still zeros");
    }
    const auto bytes = size_by(*description, described_at, function);
    if (!bytes) continue;
    const std::byte* const code = text.bytes(function, *bytes);
    if (code == nullptr) {
      return damaged("the function at " + hex(function) + " is said to have " + grouped(*bytes) + " bytes");
    }
    const std::span<const std::byte> all(code, *bytes);
    if (!begins_with_zeros(all) && !has_hole(all)) continue;  // as nearly always
    if (auto no = code_has_no_hole(lib, {code, *bytes}, function, {})) return no;
  }
  lib.functions = *entries;
  lib.function_places.make(lib.functions, base);
  lib.functions_base = base;
  lib.descriptions = frames.in_file();
  lib.first_description = frames.bytes(lib.descriptions.start, 1);
  return passed;
}

}  // namespace autoreload::inspecting
