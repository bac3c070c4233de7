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

/// @param guard    compares two builds
/// @param first    the file of the build that the program started with, with its debug information
/// @param exports  of that build
/// @throws std::bad_alloc
[[nodiscard]] std::shared_ptr<abi_checker> program_guard(std::shared_ptr<abi_checker> guard, const std::string& first,
                                                         std::vector<exported_name> exports);

}  // namespace autoreload::exec
