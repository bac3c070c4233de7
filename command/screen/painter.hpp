// SPDX-License-Identifier: MIT
// painter: brings a frame onto the terminal: what is there already is not written again, and all else in one write.
#pragma once

#include <string>
#include <vector>

#include "run_frame.hpp"

namespace autoreload::command {

class painter {
 public:
  /// The bytes that turn the last frame into this one; empty when it looks the same.
  [[nodiscard]] std::string paint_over(const std::vector<screen_line>& frame, screen_size size, const glyphs& by);
  /// Somebody else has written on the terminal: the next frame is written whole.
  void forget() { known_ = false; }

 private:
  bool known_ = false;
  screen_size size_;
  std::vector<std::string> rows_;
};

}  // namespace autoreload::command
