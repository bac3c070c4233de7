// SPDX-License-Identifier: MIT
// program_guard: refuses a build that the program can't call: what it was compiled for is what the build says of itself
// that it started with.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <autoreload/guard.hpp>

namespace autoreload::exec {

struct exported_name {
  std::string name;
  bool function = true;
};

/// The build that the program started with.
struct first_build {
  std::string file;  ///< that has its debug information, as long as the program runs
  std::vector<exported_name> exports{};
  std::function<bool(std::span<const std::byte>)> is{};  ///< whether these are its bytes
};

/// @param guard  compares two builds
/// @throws std::bad_alloc
[[nodiscard]] std::shared_ptr<abi_checker> program_guard(std::shared_ptr<abi_checker> guard, first_build first);

}  // namespace autoreload::exec
