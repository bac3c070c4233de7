// SPDX-License-Identifier: MIT
// layout_text: a struct's two layouts for a person, and what a function is called that turns one into the other.
#pragma once

#include <string>

#include "state/layout.hpp"

namespace autoreload::state {

/// Both layouts, line beside line: offset, type and name of each field.
[[nodiscard]] std::string side_by_side(typed was, typed is);
/// `world_migrate` for `struct world`.
[[nodiscard]] std::string migration_name(typed of);
/// `void world_migrate(struct world *new_world, const struct world_before *old_world)`.
[[nodiscard]] std::string migration_prototype(typed of);

}  // namespace autoreload::state
