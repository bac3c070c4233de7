// SPDX-License-Identifier: MIT
// operators: the types of operators with two sides.
#pragma once

#include <string>

#include "syntax.hpp"
#include "type_table.hpp"

namespace autoreload::command {

/// Sets a node's type, and what both of its sides become; the sides are checked. Of an assignment such as `+=` the type
/// is what the operator gives.
/// @throws complaint
void apply_operator(node& n, const std::string& sign, type_table& types);

/// The same for `a ? b : c`.
/// @throws complaint
void choose_common(node& n, type_table& types);

}  // namespace autoreload::command
