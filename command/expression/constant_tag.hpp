// SPDX-License-Identifier: MIT
// constant_tag: how a description carries a constant that is no enumeration's.
#pragma once

#include <string_view>

namespace autoreload::command {

/// An enumeration with this tag, which no source can have, stands for one constant: its member. Its target is the
/// constant's own type.
inline constexpr std::string_view constant_tag = "constant of a header";

}  // namespace autoreload::command
