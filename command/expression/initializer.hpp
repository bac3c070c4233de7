// SPDX-License-Identifier: MIT
// initializer: where each part of {…} goes in the object that it makes.
#pragma once

#include <cstdint>
#include <string>

#include "syntax.hpp"
#include "type_table.hpp"

namespace autoreload::command {

/// How many elements {…} gives to an array that has no length of its own.
[[nodiscard]] std::uint64_t initializer_length(const node& list, type_index element, const type_table& types);

/// Fills in the slots of a list, for an object of this type.
/// @throws complaint
void place_parts(node& list, type_index type, type_table& types);

/// Whether a string becomes the bytes of an array, and not the address in a pointer.
/// @throws complaint  when it does not fit
[[nodiscard]] bool fills_array(const node& string, type_index type, const type_table& types);

/// What is said about a field that a struct does not have.
[[nodiscard]] complaint no_such_field(place where, type_index structure, const std::string& name,
                                      const type_table& types);

}  // namespace autoreload::command
