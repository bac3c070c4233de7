// SPDX-License-Identifier: MIT
// arguments: the demo's command line.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include <autoreload/options.hpp>

struct demo_arguments {
  std::string library;
  std::chrono::nanoseconds interval{std::chrono::seconds(1)};
  std::chrono::nanoseconds poll_interval{std::chrono::seconds(1)};
  std::uint64_t rounds = 0;  // 0: without end
  autoreload::watch_mode watch = autoreload::watch_mode::automatic;
  bool rebuild = false;  // when a source is saved
};

/// Reads the command line; ends the process after --help (status 0) and at bad arguments (status 2).
demo_arguments parse_arguments(int count, char** words);
