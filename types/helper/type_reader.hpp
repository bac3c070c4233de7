// SPDX-License-Identifier: MIT
// type_reader: turns debug information entries into the types of a description, each once, and only those asked for.
#pragma once

#include <elfutils/libdw.h>

#include <deque>
#include <unordered_map>
#include <utility>
#include <vector>

#include "types/description.hpp"

namespace autoreload::types {

class type_reader {
 public:
  explicit type_reader(description& into) : into_(into) {}

  /// The type of a variable, parameter or field. What it is made of is read by finish().
  [[nodiscard]] type_index type_of(Dwarf_Die* entry);
  /// The type of a function from its own entry.
  [[nodiscard]] type_index function_of(Dwarf_Die* function);
  /// The type that an entry of a type is.
  [[nodiscard]] type_index read(Dwarf_Die entry);
  /// Reads everything that was reached and not read yet.
  void finish();

  /// A struct, union or enumeration of which only the declaration was reached.
  struct declaration {
    Dwarf_Die entry;
    type_index index;
  };
  [[nodiscard]] std::vector<declaration> take_declarations() { return std::move(declarations_); }
  /// Puts the definition in the place of a declaration.
  void complete(type_index index, Dwarf_Die definition);

 private:
  type_index add(type made);
  type_index unreadable();
  void fill(type_index index, Dwarf_Die entry);
  void fill_function(type_index index, Dwarf_Die* entry);
  void fill_array(type_index index, Dwarf_Die* entry);
  void fill_compound(type_index index, Dwarf_Die* entry, kind what);
  void fill_enumeration(type_index index, Dwarf_Die* entry);

  description& into_;
  std::unordered_map<const void*, type_index> known_;  // by the entry's address in the file
  std::deque<std::pair<type_index, Dwarf_Die>> waiting_;
  std::vector<declaration> declarations_;
  std::vector<std::pair<type_index, std::uint64_t>> stricter_fields_;  // structs, and the alignment of a field in bytes
};

}  // namespace autoreload::types
