// SPDX-License-Identifier: MIT
// line_files: the source files that a library's debug information names.
#pragma once

#include <string>
#include <vector>

#include "rebuild/debug_file.hpp"

namespace autoreload::building {

/// Every file of every table of .debug_line (DWARF 2 to 5): sources, and headers that a line or a type came from; the
/// system's too. A name is absolute, or relative to where the compiler was started, which only version 5 tells. Sorted,
/// each once.
[[nodiscard]] std::vector<std::string> list_line_files(debug_file& of);

}  // namespace autoreload::building
