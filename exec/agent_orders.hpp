// SPDX-License-Identifier: MIT
// agent_orders: what the command tells the agent: a file in the directory of the stand-ins, which a variable of the
// environment names.
#pragma once

#include <string>
#include <vector>

#include <autoreload/error.hpp>

namespace autoreload::exec {

inline constexpr const char* orders_variable = "AUTORELOAD_EXEC";
inline constexpr const char* orders_file = "orders";
/// A FIFO beside the orders, if somebody builds: the agent writes the path of each library that the program opens, and
/// a zero byte.
inline constexpr const char* opened_pipe = "opened";

struct agent_orders {
  std::string directory{};  ///< private to the user; the agent removes it when the program ends
  std::string journal{};    ///< absolute; empty: standard error
  std::string preload{};    ///< LD_PRELOAD as it was
  std::string helper{};     ///< the program that reads debug information
  std::string at{};         ///< the function whose call takes a newer build over; empty: it is taken over at once
  bool had_preload = false;
  bool trial = false;
  bool keep_old = false;                 ///< old builds are never unloaded
  bool state = false;                    ///< libraries' own variables are carried over
  bool guard = true;                     ///< builds that the program can't call are refused
  std::vector<std::string> libraries{};  ///< names or paths that were asked for; none: all of the user's
  std::vector<std::string> remarks{};    ///< what the user should know
};

/// @return an error of stage use
result<void> write_orders(const agent_orders& orders);
/// @param directory  which the orders are in
[[nodiscard]] result<agent_orders> read_orders(const std::string& directory);

/// Makes the environment what it was before: a child that the program starts is not the agent's business.
/// @param variable  which led to the orders
void restore_environment(const agent_orders& orders, const char* variable);

}  // namespace autoreload::exec
