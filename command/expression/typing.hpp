// SPDX-License-Identifier: MIT
// typing: checks an expression as a compiler would, before anything of it runs.
#pragma once

#include <span>
#include <vector>

#include "syntax.hpp"
#include "type_table.hpp"

namespace autoreload::command {

/// What an evaluated expression shows, in this order: its value unless it is void, then its new objects (`&int`).
struct shown_object {
  type_index type;
  std::string name;  ///< the parameter that got its address, or empty: it is the value itself
};

/// Fills in the types of a tree.
/// @param earlier  the types of the results so far: `$1` is the first
/// @throws complaint
/// @return what will be shown
[[nodiscard]] std::vector<shown_object> check(node& root, type_table& types, std::span<const type_index> earlier);

/// The type that an expression has as a value: an array is a pointer to its first element, a function one to itself.
[[nodiscard]] type_index value_type(const node& of, type_table& types);

}  // namespace autoreload::command
