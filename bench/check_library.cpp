// SPDX-License-Identifier: MIT
// check_library: a library that needs the C++ runtime, for check_cost.
#include <iostream>

extern "C" __attribute__((visibility("default"))) int check_library_value() {
  return static_cast<int>(std::cout.width());
}
