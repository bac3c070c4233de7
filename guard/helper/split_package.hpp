// SPDX-License-Identifier: MIT
// split_package: opens one unit of a .dwp file, the archive that dwp makes of many .dwo files.
#pragma once

#include <cstdint>

#include "units.hpp"

namespace autoreload::abi {

/// The unit with the given id as if it were a .dwo file of its own, or a source without dwarf when it isn't there.
/// libdw reads packages itself only from 0.191 on.
/// @param file  stays the caller's to close, not before the source is gone
[[nodiscard]] debug_source open_package(int file, std::uint64_t id);

}  // namespace autoreload::abi
