// SPDX-License-Identifier: MIT
// variable_reader: lists a library's own variables and functions, with where each is in the file.
#pragma once

#include "types/description.hpp"
#include "types/helper/type_reader.hpp"
#include "types/helper/units.hpp"

namespace autoreload::types {

/// Reads every unit. Types are begun with `types`, whose finish() completes them.
/// @param static_types  whether functions that are not exported get their types, too
/// What no source has (`__func__`, the names that a compiler makes up) is left out.
void read_variables(units& from, type_reader& types, description& into, bool static_types);

}  // namespace autoreload::types
