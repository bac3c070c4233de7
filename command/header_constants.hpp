// SPDX-License-Identifier: MIT
// header_constants: macros of a header that are integers, as constants that an expression can name.
#pragma once

#include <string>
#include <vector>

#include "expression/constant_tag.hpp"
#include "types/description.hpp"

namespace autoreload::command {

/// Macros that may be constants, by what a compiler's `-E -dD` writes.
[[nodiscard]] std::vector<std::string> macros_in(const std::string& preprocessed);
/// A line of C that leaves a constant's value and type in the debug information. The compiler refuses it when the name
/// is no integer constant.
[[nodiscard]] std::string constant_line(const std::string& name);
/// The tag that the line gives.
[[nodiscard]] std::string constant_line_tag(const std::string& name);
/// Makes enumerations of `constant_tag` of what the lines left. The header's own enumerations come first.
void take_constants(types::description& types);

}  // namespace autoreload::command
