// SPDX-License-Identifier: MIT
// launch: from a program's name to all that it is started with.
#pragma once

#include <string>
#include <vector>

#include <autoreload/error.hpp>

#include "exec/agent_orders.hpp"

namespace autoreload::exec {

struct launch_wish {
  std::vector<std::string> words{};      ///< the program and its arguments
  std::vector<std::string> libraries{};  ///< asked for by name; none: all of the user's own
  std::string journal{};                 ///< a file for what there is to say; empty: standard error
  std::string agent{};                   ///< the agent's file; empty: the program is its own
  std::string helper{};                  ///< the program that reads debug information, for `state` and `guard`
  std::string at{};                      ///< take a newer build over when this function is called; empty: at once
  bool trial = false;                    ///< load each build in a helper process first
  bool keep_old = false;                 ///< never unload an old build
  bool state = false;                    ///< carry the libraries' own variables over
  bool guard = true;                     ///< refuse a build that the program can't call
  /// Of the environment: it gets the directory; if the program is its own agent, behind the process's number and a
  /// colon.
  std::string variable = orders_variable;
};

/// All that execve needs, and a directory with the stand-ins and the agent's orders.
struct launch_plan {
  std::string path;
  std::vector<std::string> words;
  std::vector<std::string> environment;
  std::vector<std::string> taken;    ///< the libraries that will be reloaded
  std::vector<std::string> remarks;  ///< what the user should know: what was left alone, and why
  std::string directory;             ///< the program's agent removes it, or whoever could not start the program
};

/// Removes what programs left behind that were killed.
/// @return an error of stage use or load, with what to do about it
[[nodiscard]] result<launch_plan> plan_launch(const launch_wish& wish);

}  // namespace autoreload::exec
