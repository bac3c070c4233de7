// SPDX-License-Identifier: MIT
// terminal_mode: the terminal as a screen, and as it was before.
#pragma once

#include <cstdint>

#include "run_frame.hpp"

namespace autoreload::command {

/// For what the terminal is used.
enum class terminal_use : std::uint8_t {
  screen,  ///< the alternate screen, no cursor, keys at once and without echo. Ctrl-C and Ctrl-Z stay signals
  prompt,  ///< no echo, so that what is typed ahead is seen where it belongs: in the next line that is edited
};

/// One at a time in a process: the handler that gives the terminal back when the program itself crashes knows one.
class terminal_mode {
 public:
  /// Whether standard input and output are a terminal that can show a screen.
  [[nodiscard]] static bool possible();

  explicit terminal_mode(terminal_use use);
  ~terminal_mode();
  terminal_mode(const terminal_mode&) = delete;
  terminal_mode& operator=(const terminal_mode&) = delete;

  /// Also after it was left, or when the shell may have changed the terminal.
  void enter();
  void leave();
  /// Leaves, and stops this process as Ctrl-Z does. Enters again when it goes on.
  void stop();

  [[nodiscard]] static screen_size size();

 private:
  terminal_use use_;
};

}  // namespace autoreload::command
