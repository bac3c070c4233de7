// SPDX-License-Identifier: MIT
// elf_sections: finds a section of a possibly damaged ELF file by its name, without allocation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "elf/names.hpp"

namespace autoreload {

using file_bytes = std::span<const std::byte>;

/// The part of `file` at an offset, or an empty one when it is not all there.
[[nodiscard]] inline file_bytes part_of(file_bytes file, std::uint64_t offset, std::uint64_t size) noexcept {
  if (offset > file.size() || size > file.size() - offset) return {};
  return file.subspan(static_cast<std::size_t>(offset), static_cast<std::size_t>(size));
}

/// Copies record number `index` of a table out of the bytes; they have no alignment.
template <class T>
[[nodiscard]] bool read_record(file_bytes table, std::uint64_t index, T& into) noexcept {
  if (index >= table.size() / sizeof(T)) return false;
  std::memcpy(&into, table.data() + index * sizeof(T), sizeof(T));
  return true;
}

/// The string at an offset of a string table, up to its zero byte; empty when it doesn't end inside.
[[nodiscard]] inline std::string_view string_at(file_bytes table, std::uint64_t offset) noexcept {
  if (offset >= table.size()) return {};
  const char* const start = reinterpret_cast<const char*>(table.data()) + offset;
  const std::size_t room = table.size() - static_cast<std::size_t>(offset);
  const void* const end = std::memchr(start, 0, room);
  return end == nullptr ? std::string_view{}
                        : std::string_view(start, static_cast<std::size_t>(static_cast<const char*>(end) - start));
}

/// The sections of an ELF file; none when the file has no valid table of them.
class elf_sections {
 public:
  explicit elf_sections(file_bytes file) noexcept : file_(file) {
    Elf64_Ehdr header;
    if (!read_record(file, 0, header) || std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
        header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB ||
        header.e_shentsize != sizeof(Elf64_Shdr)) {
      return;
    }
    // More sections than fit into the header's field are counted, and their names found, through section 0.
    Elf64_Shdr first;
    if (!read_record(part_of(file, header.e_shoff, sizeof first), 0, first)) return;
    const std::uint64_t count = header.e_shnum != 0 ? header.e_shnum : first.sh_size;
    if (count > file.size() / sizeof(Elf64_Shdr)) return;
    table_ = part_of(file, header.e_shoff, count * sizeof(Elf64_Shdr));
    Elf64_Shdr names;
    if (at(header.e_shstrndx != SHN_XINDEX ? header.e_shstrndx : first.sh_link, names)) names_ = content(names);
  }

  [[nodiscard]] bool at(std::uint64_t index, Elf64_Shdr& into) const noexcept {
    return read_record(table_, index, into);
  }

  [[nodiscard]] bool find(std::string_view name, Elf64_Shdr& into) const noexcept {
    for (std::uint64_t i = 1; at(i, into); ++i) {
      if (string_at(names_, into.sh_name) == name) return true;
    }
    return false;
  }

  [[nodiscard]] std::string_view name_of(const Elf64_Shdr& section) const noexcept {
    return string_at(names_, section.sh_name);
  }

  /// A section's bytes; none when they are compressed, not in the file, or partly outside.
  [[nodiscard]] file_bytes content(const Elf64_Shdr& section) const noexcept {
    if (section.sh_type == SHT_NOBITS || (section.sh_flags & SHF_COMPRESSED) != 0) return {};
    return part_of(file_, section.sh_offset, section.sh_size);
  }
  [[nodiscard]] file_bytes content(std::string_view name) const noexcept {
    Elf64_Shdr section;
    return find(name, section) ? content(section) : file_bytes{};
  }

 private:
  file_bytes file_;
  file_bytes table_;
  file_bytes names_;
};

}  // namespace autoreload
