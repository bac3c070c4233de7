// SPDX-License-Identifier: MIT
// exec_builder: builds a program's libraries when their sources are saved, from a process beside the program.
#pragma once

#include <string>
#include <vector>

#include <autoreload/error.hpp>

namespace autoreload::command {

struct exec_building {
  std::vector<std::string> libraries;  ///< that the program starts with
  std::string command;                 ///< for a shell; empty: it is found out, for each library
  std::string directory;               ///< where the command runs
  std::string notices;                 ///< a FIFO, which is made: the agent writes what the program opens
};

/// Starts a process that builds as long as this process lives, whatever program it becomes. It is no child of this
/// process, so that the program's wait() and SIGCHLD never meet it, and has none of its descriptors but standard error.
/// It says what happens by exec::say().
/// @return an error of stage use or build
[[nodiscard]] result<void> build_beside(const exec_building& what);

}  // namespace autoreload::command
