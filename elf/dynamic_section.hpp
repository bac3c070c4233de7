// SPDX-License-Identifier: MIT
// dynamic_section: where an inspected library's symbols, strings and relocations are.
#pragma once

#include "elf/view.hpp"

namespace autoreload {

/// Addresses as they stand in the file, sizes in bytes; 0 when the library has no such thing.
struct dynamic_section {
  table<Elf64_Dyn> entries;  ///< up to its end mark
  std::uint64_t symbols = 0;
  std::uint64_t gnu_hash = 0;
  std::uint64_t strings = 0, strings_size = 0;
  std::uint64_t relocations = 0, relocations_size = 0;
  std::uint64_t relative_relocations = 0;  ///< how many of them, the first, only add the load base
  std::uint64_t needed_versions = 0, needed_versions_count = 0;
  std::uint64_t plt_relocations = 0, plt_relocations_size = 0;
};

/// @param file  a library that inspect() called sound
[[nodiscard]] inline dynamic_section dynamic_section_of(const elf_view& file) {
  dynamic_section found;
  for (const Elf64_Phdr program : file.program_headers()) {
    if (program.p_type != PT_DYNAMIC) continue;
    const auto entries = file.table_at<Elf64_Dyn>(program.p_vaddr, program.p_filesz / sizeof(Elf64_Dyn));
    if (!entries) continue;
    std::size_t count = 0;
    for (const Elf64_Dyn entry : *entries) {
      if (entry.d_tag == DT_NULL) break;
      ++count;
      switch (entry.d_tag) {
        case DT_SYMTAB: found.symbols = entry.d_un.d_ptr; break;
        case DT_GNU_HASH: found.gnu_hash = entry.d_un.d_ptr; break;
        case DT_STRTAB: found.strings = entry.d_un.d_ptr; break;
        case DT_STRSZ: found.strings_size = entry.d_un.d_val; break;
        case DT_RELA: found.relocations = entry.d_un.d_ptr; break;
        case DT_RELASZ: found.relocations_size = entry.d_un.d_val; break;
        case DT_RELACOUNT: found.relative_relocations = entry.d_un.d_val; break;
        case DT_VERNEED: found.needed_versions = entry.d_un.d_ptr; break;
        case DT_VERNEEDNUM: found.needed_versions_count = entry.d_un.d_val; break;
        case DT_JMPREL: found.plt_relocations = entry.d_un.d_ptr; break;
        case DT_PLTRELSZ: found.plt_relocations_size = entry.d_un.d_val; break;
        default: break;
      }
    }
    found.entries = table<Elf64_Dyn>(file.bytes(program.p_vaddr, 0), count);
  }
  return found;
}

}  // namespace autoreload
