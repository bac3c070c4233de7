// SPDX-License-Identifier: MIT
// waiting: what the loops around a live library have in common.
#pragma once

#include <chrono>
#include <initializer_list>
#include <optional>
#include <vector>

#include "live_library.hpp"
#include "system/unique_fd.hpp"

namespace autoreload::command {

/// Blocks signals, which a descriptor then tells of. Workers and builders unblock them.
[[nodiscard]] unique_fd caught_signals(std::initializer_list<int> signals);

/// Waits until the library has something to do, one of the other descriptors is readable, or the time has come.
/// @return which of the others are readable
[[nodiscard]] std::vector<bool> wait_for(const live_library& library, std::initializer_list<int> others,
                                         std::optional<std::chrono::steady_clock::time_point> until);

/// Stops this process, as Ctrl-Z does to one that doesn't catch it, and returns when it goes on. SIGTSTP is blocked,
/// and stays so.
void stop_as_a_job();

/// Whether --generations builds were loaded, and asked.
[[nodiscard]] inline bool has_enough(const run_options& options, const live_library& library) {
  return options.generations != 0 && library.state().newest >= options.generations && library.idle();
}

}  // namespace autoreload::command
