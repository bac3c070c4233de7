// SPDX-License-Identifier: MIT
// bindings: where the loader has led the names that a loaded library uses.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

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

/// Calls `tell(symbol, name, address)` for each name that was looked up, but not for weak ones that nobody has.
/// @param lib  inspected and loaded
void for_each_binding(const placed_file& lib,
                      const std::function<void(const Elf64_Sym&, const char*, const void*)>& tell);

/// The names that are bound to another version of a symbol than the program would be. glibc's loader binds a name
/// without a version to the oldest that there is (do_lookup_x, `check_match`). Libraries with versions have none.
[[nodiscard]] std::vector<std::string> bound_to_old_versions(const placed_file& lib);

}  // namespace autoreload
