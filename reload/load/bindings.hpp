// SPDX-License-Identifier: MIT
// bindings: where the loader has led the names that a loaded library uses.
#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "elf/dynamic_section.hpp"
#include "elf/view.hpp"

namespace autoreload {

/// A library of the process, and the part of it in which an address lies.
struct loaded_object {
  std::string name;                 ///< the loader's; empty for the program
  std::uintptr_t base = 0;          ///< where its address 0 is
  std::uint32_t segment_flags = 0;  ///< PF_R, PF_W, PF_X of the segment
};

/// @return nothing when the address is in no library
[[nodiscard]] std::optional<loaded_object> object_at(const void* address);

/// Where a loaded file lies in memory.
struct placed_file {
  std::uintptr_t base;
  const elf_view& file;

  /// The segment of it that holds the address, or null.
  [[nodiscard]] const load_segment* segment_of(const void* address) const {
    return file.holding(reinterpret_cast<std::uintptr_t>(address) - base, 1);
  }
};

/// The relocations by which the loader put a symbol's address somewhere; others don't look symbols up.
[[nodiscard]] inline bool binds_an_address(std::uint64_t info) {
  const auto type = ELF64_R_TYPE(info);
#if defined(__x86_64__)
  return type == R_X86_64_JUMP_SLOT || type == R_X86_64_GLOB_DAT;
#else
  return type == R_AARCH64_JUMP_SLOT || type == R_AARCH64_GLOB_DAT;
#endif
}

/// Calls `tell(symbol, name, address)` for each name that was looked up, but not for weak ones that nobody has.
/// @param lib  inspected and loaded
template <class Tell>
void for_each_binding(const placed_file& lib, Tell&& tell) {
  const elf_view& file = lib.file;
  const dynamic_section dynamic = dynamic_section_of(file);
  const std::uint64_t relative = dynamic.relative_relocations * sizeof(Elf64_Rela);  // inspected: these are there
  const std::pair<std::uint64_t, std::uint64_t> tables[] = {
      {dynamic.relocations + relative, dynamic.relocations_size - relative},
      {dynamic.plt_relocations, dynamic.plt_relocations_size}};
  for (const auto& [address, size] : tables) {
    if (size == 0) continue;
    const auto entries = file.table_at<Elf64_Rela>(address, size / sizeof(Elf64_Rela));
    for (const Elf64_Rela one : entries.value_or(table<Elf64_Rela>())) {
      if (!binds_an_address(one.r_info)) continue;
      const auto symbol = file.record_at<Elf64_Sym>(dynamic.symbols + ELF64_R_SYM(one.r_info) * sizeof(Elf64_Sym));
      const auto* const name =
          reinterpret_cast<const char*>(symbol ? file.bytes(dynamic.strings + symbol->st_name, 1) : nullptr);
      void* bound = nullptr;
      std::memcpy(&bound, reinterpret_cast<const void*>(lib.base + one.r_offset), sizeof bound);
      if (name != nullptr && bound != nullptr) tell(*symbol, name, bound);
    }
  }
}

/// The names that are bound to another version of a symbol than the program would be. glibc's loader binds a name
/// without a version to the oldest that there is (do_lookup_x, `check_match`). Libraries with versions have none.
[[nodiscard]] std::vector<std::string> bound_to_old_versions(const placed_file& lib);

}  // namespace autoreload
