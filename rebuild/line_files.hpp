// SPDX-License-Identifier: MIT
// line_files: the source files that a library's debug information names.
#pragma once

#include <string>
#include <vector>

#include "elf/sections.hpp"

namespace autoreload::building {

/// Every file of every table of .debug_line (DWARF 2 to 5, not compressed): sources, and headers that a line or a type
/// came from; the system's too. A name is absolute, or relative to where the compiler was started, which only version 5
/// tells. Sorted, each once.
/// @param library  its bytes, which may be damaged
[[nodiscard]] std::vector<std::string> list_line_files(file_bytes library);
/// The same of a file by its path; nothing when it can't be read.
[[nodiscard]] std::vector<std::string> list_line_files(const std::string& library);

}  // namespace autoreload::building
