// SPDX-License-Identifier: MIT
// parser: C's grammar of expressions, as a tree.
#pragma once

#include <string_view>

#include "syntax.hpp"
#include "type_parser.hpp"

namespace autoreload::command {

/// Reads one expression. Any bytes are safe; nesting has a limit.
/// @throws complaint
[[nodiscard]] node_pointer parse(std::string_view text, const knows_typedef& is_typedef);

/// Reads a type's name, such as `struct point *`.
/// @throws complaint
[[nodiscard]] declared_type parse_type(std::string_view text, const knows_typedef& is_typedef);

}  // namespace autoreload::command
