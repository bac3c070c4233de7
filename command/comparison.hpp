// SPDX-License-Identifier: MIT
// comparison: what a caller notices between two builds of a library.
#pragma once

#include "check_report.hpp"
#include "guard/compare.hpp"
#include "library.hpp"
#include "library_types.hpp"
#include "options.hpp"

namespace autoreload::command {

/// All that is exported, with its types.
[[nodiscard]] types_wanted all_of(const library_options& from);

void add(types::comparison found, check_report& into);

/// Fills in the differences, and what is harmless.
/// @param types  of the new build
/// @return an error when the old build's types can't be read
result<void> compare_builds(const library& old, const library& fresh, const types::description& types,
                            const library_options& options, check_report& into);

}  // namespace autoreload::command
