// SPDX-License-Identifier: MIT
// type_parser: C's grammar of type names.
#pragma once

#include <functional>
#include <string_view>

#include "syntax.hpp"
#include "token_cursor.hpp"

namespace autoreload::command {

/// Whether a name is a typedef's. C's grammar can't be read without.
using knows_typedef = std::function<bool(std::string_view)>;

[[nodiscard]] bool starts_type(const token_cursor& at, std::size_t ahead, const knows_typedef& is_typedef);

/// Reads a type's name, such as `struct point *`, and leaves the cursor after it.
/// @throws complaint
[[nodiscard]] declared_type read_type_name(token_cursor& at, const knows_typedef& is_typedef);

}  // namespace autoreload::command
