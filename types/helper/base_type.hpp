// SPDX-License-Identifier: MIT
// base_type: the numbers of a language (int, double, _Bool …), by one name whichever compiler wrote them.
#pragma once

#include <elfutils/libdw.h>

#include <optional>

#include "types/description.hpp"

namespace autoreload::types {

/// The type of a DW_TAG_base_type.
[[nodiscard]] type base_type(Dwarf_Die* entry);
/// What an argument for a parameter of an old-style definition `f(x) float x; {…}` is promoted to, if it is.
[[nodiscard]] std::optional<type> promoted_type(Dwarf_Die* parameter);
/// A type that is part of another's values and has another size (`type Level is range 0 .. 9`); nothing when it has the
/// same size.
[[nodiscard]] std::optional<type> range_type(Dwarf_Die* entry);

}  // namespace autoreload::types
