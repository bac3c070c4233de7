// SPDX-License-Identifier: MIT
// parser: C's grammar of expressions, as a tree.
#pragma once

#include <functional>
#include <string_view>

#include "syntax.hpp"

namespace autoreload::command {

/// Whether a name is a typedef's. C's grammar can't be read without.
using knows_typedef = std::function<bool(std::string_view)>;

/// Reads one expression. Any bytes are safe; nesting has a limit.
/// @throws complaint
[[nodiscard]] node_pointer parse(std::string_view text, const knows_typedef& is_typedef);

/// Reads a type's name, such as `struct point *`.
/// @throws complaint
[[nodiscard]] declared_type parse_type(std::string_view text, const knows_typedef& is_typedef);

}  // namespace autoreload::command
