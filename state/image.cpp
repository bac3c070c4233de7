// SPDX-License-Identifier: MIT
// image: reads through the bounds-checked view that the inspector has, so no table can lead outside of the file.
#include "state/image.hpp"

#include <elf.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "elf/sections.hpp"

namespace autoreload::state {

namespace {

#ifndef SHT_RELR
#define SHT_RELR 19
#define DT_RELR 36
#define DT_RELRSZ 35
#endif

#if defined(__x86_64__)
constexpr std::uint32_t relative = R_X86_64_RELATIVE;
constexpr std::uint32_t absolute = R_X86_64_64;
#elif defined(__aarch64__)
constexpr std::uint32_t relative = R_AARCH64_RELATIVE;
constexpr std::uint32_t absolute = R_AARCH64_ABS64;
#else  // pointers of the file are not known: no initial value of one is taken for another's
constexpr std::uint32_t relative = ~std::uint32_t{0};
constexpr std::uint32_t absolute = ~std::uint32_t{0} - 1;
#endif

constexpr std::size_t most_relocations = 4'000'000;

struct dynamic {
  std::uint64_t rela = 0, rela_size = 0, relr = 0, relr_size = 0, symbols = 0, strings = 0, strings_size = 0;
};

dynamic read_dynamic(const elf_view& view) {
  dynamic found;
  for (const Elf64_Phdr program : view.program_headers()) {
    if (program.p_type != PT_DYNAMIC) continue;
    const auto entries = view.table_at<Elf64_Dyn>(program.p_vaddr, program.p_filesz / sizeof(Elf64_Dyn));
    if (!entries) continue;
    for (const Elf64_Dyn entry : *entries) {
      const std::uint64_t value = entry.d_un.d_val;
      switch (entry.d_tag) {
        case DT_RELA: found.rela = value; break;
        case DT_RELASZ: found.rela_size = value; break;
        case DT_RELR: found.relr = value; break;
        case DT_RELRSZ: found.relr_size = value; break;
        case DT_SYMTAB: found.symbols = value; break;
        case DT_STRTAB: found.strings = value; break;
        case DT_STRSZ: found.strings_size = value; break;
        default: break;
      }
    }
  }
  return found;
}

}  // namespace

std::unique_ptr<image> image::open(int file) {
  std::unique_ptr<image> made(new image(file));
  made->bytes_ = made->file_.bytes();
  if (made->bytes_.empty()) return nullptr;
  made->view_.file = made->bytes_;
  for (const Elf64_Phdr program : made->view_.program_headers()) {
    if (program.p_type == PT_LOAD) {
      if (!made->view_.has(program.p_offset, program.p_filesz) || program.p_filesz > program.p_memsz) return nullptr;
      made->loads_.push_back({program.p_offset, program.p_filesz, program.p_vaddr, program.p_memsz, program.p_flags});
    } else if (program.p_type == PT_GNU_RELRO) {
      made->relro_ = program.p_vaddr;
      made->relro_size_ = program.p_memsz;
    }
  }
  if (made->loads_.empty()) return nullptr;
  made->view_.loads = made->loads_;
  made->read_relocations();
  return made;
}

void image::note_word(std::uint64_t address) {
  if (relocations_.size() >= most_relocations) return;
  if (const auto value = view_.record_at<std::uint64_t>(address)) relocations_[address] = {.address = *value};
}

void image::read_relocations() {
  const dynamic found = read_dynamic(view_);
  read_relative(found.relr, found.relr_size);
  const auto entries = view_.table_at<Elf64_Rela>(found.rela, found.rela_size / sizeof(Elf64_Rela));
  const file_bytes strings = view_.span_at(found.strings, found.strings_size).value_or(file_bytes{});
  if (!entries) return;
  for (const Elf64_Rela entry : *entries) {
    if (relocations_.size() >= most_relocations) return;
    const auto type = static_cast<std::uint32_t>(ELF64_R_TYPE(entry.r_info));
    const auto addend = static_cast<std::uint64_t>(entry.r_addend);
    if (type == relative) relocations_[entry.r_offset] = {.address = addend};
    if (type != absolute) continue;
    const std::uint64_t index = ELF64_R_SYM(entry.r_info);
    const auto symbol = view_.record_at<Elf64_Sym>(found.symbols + index * sizeof(Elf64_Sym));
    if (!symbol) continue;
    // A symbol with an address of its own is one whose place is elsewhere, too.
    if (symbol->st_shndx != SHN_UNDEF && symbol->st_shndx != SHN_ABS) {
      relocations_[entry.r_offset] = {.address = symbol->st_value + addend};
    } else {
      relocations_[entry.r_offset] = {std::string(string_at(strings, symbol->st_name)), addend};
    }
  }
}

// An address, and then bit maps of the 63 words after it.
void image::read_relative(std::uint64_t address, std::uint64_t size) {
  const auto words = view_.table_at<std::uint64_t>(address, size / sizeof(std::uint64_t));
  if (!words) return;
  std::uint64_t next = 0;
  for (const std::uint64_t word : *words) {
    if ((word & 1) == 0) {
      note_word(word);
      next = word + sizeof(std::uint64_t);
      continue;
    }
    for (std::uint64_t bit = 1; bit < 64; ++bit) {
      if ((word >> bit & 1) != 0) note_word(next + (bit - 1) * sizeof(std::uint64_t));
    }
    next += 63 * sizeof(std::uint64_t);
  }
}

bool image::initial(std::uint64_t address, std::span<std::byte> into) const {
  const load_segment* const load = view_.holding(address, into.size());
  if (load == nullptr) return false;
  const std::uint64_t from = address - load->address;
  const std::uint64_t there =
      from >= load->file_size ? 0 : std::min<std::uint64_t>(into.size(), load->file_size - from);
  if (there != 0) std::memcpy(into.data(), bytes_.data() + load->offset + from, there);
  std::fill(into.begin() + static_cast<std::ptrdiff_t>(there), into.end(), std::byte{0});
  return true;
}

bool image::starts_empty(std::uint64_t address, std::uint64_t size) const {
  const load_segment* const load = view_.holding(address, size);
  return load != nullptr && address - load->address >= load->file_size;
}

const reference* image::relocation(std::uint64_t address) const {
  const auto found = relocations_.find(address);
  return found == relocations_.end() ? nullptr : &found->second;
}

bool image::is_writable(std::uint64_t address, std::uint64_t size) const {
  const load_segment* const load = view_.holding(address, size);
  const bool sealed = address < relro_ + relro_size_ && address + size > relro_;
  return load != nullptr && (load->flags & PF_W) != 0 && !sealed;
}

bool image::holds(std::uint64_t address, std::uint64_t size) const { return view_.holding(address, size) != nullptr; }

std::span<const std::byte> image::constants(std::uint64_t address) const {
  const load_segment* const load = view_.holding(address, 1);
  if (load == nullptr || (load->flags & PF_W) != 0 || address - load->address >= load->file_size) return {};
  const std::uint64_t from = address - load->address;
  return bytes_.subspan(load->offset + from, load->file_size - from);
}

std::vector<std::pair<std::uint64_t, std::span<const std::byte>>> image::all_constants() const {
  std::vector<std::pair<std::uint64_t, std::span<const std::byte>>> runs;
  for (const load_segment& load : loads_) {
    if ((load.flags & PF_W) == 0) runs.emplace_back(load.address, bytes_.subspan(load.offset, load.file_size));
  }
  return runs;
}

std::string_view image::section(std::uint64_t address) const {
  const elf_sections sections(bytes_);
  const file_bytes names = [&] {
    Elf64_Ehdr header;
    Elf64_Shdr table;
    if (!read_record(bytes_, 0, header) || !sections.at(header.e_shstrndx, table)) return file_bytes{};
    return sections.content(table);
  }();
  Elf64_Shdr s;
  for (std::uint64_t i = 1; sections.at(i, s); ++i) {
    const bool loaded = (s.sh_flags & SHF_ALLOC) != 0 && (s.sh_flags & SHF_TLS) == 0;
    if (loaded && address >= s.sh_addr && address - s.sh_addr < s.sh_size) return string_at(names, s.sh_name);
  }
  return {};
}

std::pair<std::uint64_t, std::uint64_t> image::extent() const {
  std::pair<std::uint64_t, std::uint64_t> all{~std::uint64_t{0}, 0};
  for (const load_segment& load : loads_) {
    all.first = std::min(all.first, load.address);
    all.second = std::max(all.second, load.address + load.memory_size);
  }
  return all;
}

}  // namespace autoreload::state
