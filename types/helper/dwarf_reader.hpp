// SPDX-License-Identifier: MIT
// dwarf_reader: describes symbols from DWARF 4 and 5, reading only the units and types that they lead to.
#pragma once

#include "types/description.hpp"
#include "types/request.hpp"

namespace autoreload::types {

/// Reads with libdw, which is careful but not proof against every damaged file: run it in a process of its own.
///
/// @param ask         what to describe
/// @param file        the ELF file
/// @param debug_file  its separate debug information, or -1
/// @return what could be seen; symbols that could not are absent
[[nodiscard]] description describe(const request& ask, int file, int debug_file);

}  // namespace autoreload::types
