// SPDX-License-Identifier: MIT
// unit_facts: what a compile unit says of itself: its language, and whether it describes types at all.
#pragma once

#include <elfutils/libdw.h>

#include <unordered_map>

#include "types/description.hpp"

namespace autoreload::types {

/// The unit in whose source the entry stands. After link-time optimisation the code is in another one.
[[nodiscard]] Dwarf_Die unit_of(Dwarf_Die entry);

/// Assembly, which claims that every function is `void (void)`.
[[nodiscard]] bool is_assembly(Dwarf_Die unit);

/// The language makes no difference between small and capital letters, so the unit may have either.
[[nodiscard]] bool ignores_case(Dwarf_Die unit);

/// A unit of C that another language's compiler wrote (Nim's, cgo's, Zig's) is not in C: nobody wrote `const` in it.
[[nodiscard]] language language_of(Dwarf_Die unit);

/// Finds entries of a compiler that was told to keep it short (`-g1`, `-gline-tables-only`).
class terse_units {
 public:
  /// Whether the entry of a function or variable says nothing of its type: then `void (void)` means "unknown".
  [[nodiscard]] bool silent(Dwarf_Die entry);
  /// Whether the unit describes no types at all.
  [[nodiscard]] bool is_terse(Dwarf_Die unit);

 private:
  std::unordered_map<const void*, bool> known_;  // by the unit's address
};

}  // namespace autoreload::types
