// SPDX-License-Identifier: MIT
// compile_units: what a library's debug information says of each source that was compiled, and how.
#pragma once

#include <string>
#include <vector>

#include "rebuild/debug_file.hpp"

namespace autoreload::building {

/// One compilation, as its compiler described it.
struct compile_unit {
  std::string source;     ///< as it was named to the compiler
  std::string directory;  ///< where the compiler was started
  std::string producer;   ///< the compiler with its version; and its options, where it records them
};

/// The compile units of .debug_info (DWARF 2 to 5), in the linker's order. Skeletons of split debug information
/// (`-gsplit-dwarf`) are left out: they say nothing of this.
[[nodiscard]] std::vector<compile_unit> list_compile_units(debug_file& of);

}  // namespace autoreload::building
