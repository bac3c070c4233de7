// SPDX-License-Identifier: MIT
// command_line: runs another program to its end.
#pragma once

#include <string>
#include <vector>

namespace autoreload::command {

struct ran_command {
  bool started = false;
  int status = -1;       ///< its exit status, or -1 when a signal ended it
  std::string output{};  ///< both of its outputs; when it did not start, why
};

/// Runs a program that is found in PATH, with no input and with the messages in English.
/// @param words  the program and its arguments
[[nodiscard]] ran_command run_command(const std::vector<std::string>& words);

}  // namespace autoreload::command
