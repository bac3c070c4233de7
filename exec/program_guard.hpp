// SPDX-License-Identifier: MIT
// program_guard: refuses a build that the program can't call: what it was compiled for is what the build says of itself
// that it started with.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <autoreload/guard.hpp>

namespace autoreload::exec {

struct exported_name {
  std::string name;
  bool function = true;
};

/// @param guard   compares two builds
/// @param exports  of the build that the program started with, which is the first that is checked
/// @throws std::bad_alloc
[[nodiscard]] std::shared_ptr<abi_checker> program_guard(std::shared_ptr<abi_checker> guard,
                                                         std::vector<exported_name> exports);

}  // namespace autoreload::exec
