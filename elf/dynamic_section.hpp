// SPDX-License-Identifier: MIT
// dynamic_section: where an inspected library's symbols, strings and relocations are.
#pragma once

#include "elf/view.hpp"

namespace autoreload {

/// Addresses as they stand in the file, sizes in bytes; 0 when the library has no such thing.
struct dynamic_section {
  std::uint64_t symbols = 0;
  std::uint64_t strings = 0, strings_size = 0;
  std::uint64_t relocations = 0, relocations_size = 0;
  std::uint64_t plt_relocations = 0, plt_relocations_size = 0;
};

/// @param file  a library that inspect() called sound
[[nodiscard]] inline dynamic_section dynamic_section_of(const elf_view& file) {
  dynamic_section found;
  for (const Elf64_Phdr program : file.program_headers()) {
    if (program.p_type != PT_DYNAMIC) continue;
    const auto entries = file.table_at<Elf64_Dyn>(program.p_vaddr, program.p_filesz / sizeof(Elf64_Dyn));
    if (!entries) continue;
    for (const Elf64_Dyn entry : *entries) {
      if (entry.d_tag == DT_NULL) break;
      switch (entry.d_tag) {
        case DT_SYMTAB: found.symbols = entry.d_un.d_ptr; break;
        case DT_STRTAB: found.strings = entry.d_un.d_ptr; break;
        case DT_STRSZ: found.strings_size = entry.d_un.d_val; break;
        case DT_RELA: found.relocations = entry.d_un.d_ptr; break;
        case DT_RELASZ: found.relocations_size = entry.d_un.d_val; break;
        case DT_JMPREL: found.plt_relocations = entry.d_un.d_ptr; break;
        case DT_PLTRELSZ: found.plt_relocations_size = entry.d_un.d_val; break;
        default: break;
      }
    }
  }
  return found;
}

/// Whether a dynamic string begins with `name`: cheap, and good enough for a name that nothing else has.
[[nodiscard]] inline bool mentions(const elf_view& file, std::string_view name) {
  const dynamic_section dynamic = dynamic_section_of(file);
  const std::byte* const strings = file.bytes(dynamic.strings, dynamic.strings_size);
  return strings != nullptr &&
         std::string_view(reinterpret_cast<const char*>(strings), dynamic.strings_size).find(name) !=
             std::string_view::npos;
}

}  // namespace autoreload
