// SPDX-License-Identifier: MIT
// split_package: shows one unit of a .dwp file, the archive that dwp makes of many .dwo files.
#pragma once

#include <cstdint>

#include "types/helper/units.hpp"

namespace autoreload::types {

/// Makes the file look like the .dwo file of one unit. libdw reads packages itself only from 0.191 on.
/// @param source  opened, but not begun to be read as DWARF
/// @param id      the unit's
/// @return whether it is there
[[nodiscard]] bool narrow_package(debug_source& source, std::uint64_t id);

}  // namespace autoreload::types
