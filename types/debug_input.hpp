// SPDX-License-Identifier: MIT
// debug_input: finds the debug information of an ELF file: in it, or in a file beside it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "system/unique_fd.hpp"

namespace autoreload::types {

/// A file with debug information, ready to be described.
struct debug_input {
  bool any = false;
  unique_fd separate;  ///< the file beside it, or none
};

/// @param path   as the user knows the file
/// @param roots  where separate debug files lie
[[nodiscard]] debug_input find_debug_input(int file, std::string_view path, const std::vector<std::string>& roots);

}  // namespace autoreload::types
