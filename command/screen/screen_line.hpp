// SPDX-License-Identifier: MIT
// screen_line: a line of the screen: texts in inks, cut at the screen's edge.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "terminal.hpp"

namespace autoreload::command {

/// What is drawn where letters can't say it.
struct glyphs {
  bool utf8 = true;
  std::string_view dot = "●";
  std::string_view ring = "○";
  std::string_view good = "✓";
  std::string_view bad = "✗";
  std::string_view more = "…";
  std::string_view rule = "─";
  std::string_view spinner = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏";

  /// By the locale's character set, as LC_ALL, LC_CTYPE and LANG name it.
  [[nodiscard]] static glyphs of_environment();
  [[nodiscard]] static glyphs ascii() { return {false, "*", "o", "+", "x", "~", "-", "|/-\\"}; }
};

class screen_line {
 public:
  screen_line& add(ink colour, std::string text);
  screen_line& add(std::string text) { return add(ink::plain, std::move(text)); }
  /// Blanks up to this column, or one if it is passed already.
  screen_line& pad_to(int column);
  [[nodiscard]] int columns() const { return columns_; }
  /// With what colours a terminal wants. @param columns  the screen's width
  [[nodiscard]] std::string bytes(int columns, const glyphs& by) const;

 private:
  struct piece {
    ink colour;
    std::string text;
  };
  std::vector<piece> pieces_;
  int columns_ = 0;
};

}  // namespace autoreload::command
