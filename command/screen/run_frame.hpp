// SPDX-License-Identifier: MIT
// run_frame: a run_state as the lines of a screen. A function of its arguments (and of the source that a problem
// names).
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "run_state.hpp"
#include "screen_line.hpp"

namespace autoreload::command {

struct screen_size {
  int columns = 80;
  int rows = 24;
  [[nodiscard]] bool operator==(const screen_size&) const = default;
};

struct frame_input {
  const run_state& state;
  screen_size size{};
  glyphs draw_with{};
  std::chrono::steady_clock::time_point now{};
  std::string message{};  ///< the answer to a key, in the last line
};

/// As many lines as the screen has rows, at most.
[[nodiscard]] std::vector<screen_line> frame_of(const frame_input& input);

/// When the same state looks different: a clock goes on, something turns. @return the time from now on
[[nodiscard]] std::chrono::milliseconds frame_lasts(const run_state& state, std::chrono::steady_clock::time_point now);

}  // namespace autoreload::command
