// SPDX-License-Identifier: MIT
// link_facts: how a library was linked, as far as it shows; and whether two libraries are the same but for debug
// information.
#pragma once

#include <string>
#include <vector>

#include "rebuild/debug_file.hpp"

namespace autoreload::building {

/// The options for the compiler's driver that link the like of it: `-shared`, the linker, the SONAME, search paths, and
/// the libraries that it needs.
[[nodiscard]] std::vector<std::string> link_options(debug_file& of);

/// The first section that a program would see and that differs; empty when there is none. The build-id does not count.
[[nodiscard]] std::string first_difference(debug_file& a, debug_file& b);

}  // namespace autoreload::building
