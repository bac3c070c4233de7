// SPDX-License-Identifier: MIT
// live_files: what a load brought into the process that is no private copy.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "reload/generation.hpp"

namespace autoreload {

/// The libraries of the process at a moment. About 30 ns for each. Any thread.
class loaded_libraries {
 public:
  loaded_libraries();

  /// What is there now and was not then, by the loader's names.
  [[nodiscard]] std::vector<std::string> newcomers() const;

 private:
  std::vector<std::uintptr_t> bases_;  // sorted
};

/// A warning for each library that came since and is mapped from its file: neither a copy nor the system packages'.
/// Whatever is written into such a file reaches the program.
/// @param left  those of which it is known why
[[nodiscard]] std::vector<std::string> live_files(const loaded_libraries& before, const generation& made,
                                                  const std::vector<left_library>& left);

}  // namespace autoreload
