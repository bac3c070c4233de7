// SPDX-License-Identifier: MIT
// conversion: which types C converts by itself, and to what.
#pragma once

#include <optional>
#include <string>

#include "syntax.hpp"
#include "type_table.hpp"

namespace autoreload::command {

/// The type of a whole number as it is written: the first of C's list that has room for it.
[[nodiscard]] basic type_of_whole(const token& t);
/// Integer promotion: what is narrower than int becomes int.
[[nodiscard]] type_index promoted(type_index type, type_table& types);
/// What an argument without a parameter is passed as: promoted, and float as double.
[[nodiscard]] type_index promoted_argument(type_index type, type_table& types);
/// The usual arithmetic conversions. Both must be arithmetic.
[[nodiscard]] type_index common_type(type_index a, type_index b, type_table& types);

/// Whether a value may be assigned to an object of type `to`, or passed as a parameter of that type.
/// @return what a compiler would say when not
[[nodiscard]] std::optional<std::string> refuses(const node& value, type_index to, type_table& types);

/// 0, or 0 cast to `void *`.
[[nodiscard]] bool is_null(const node& value);

}  // namespace autoreload::command
