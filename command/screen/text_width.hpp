// SPDX-License-Identifier: MIT
// text_width: how many columns of a terminal a text takes. Not wcwidth(3), which asks the locale: the program leaves
// that as it is, because the library's process is forked from it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace autoreload::command {

/// A character of UTF-8 at the start of a text.
struct text_character {
  std::size_t bytes = 0;
  int columns = 0;    ///< 0 for a combining one, 2 for a wide one
  bool shown = true;  ///< false: no character, or one that moves the cursor
};

/// @param text  not empty; any bytes
[[nodiscard]] text_character first_character(std::string_view text);
[[nodiscard]] int columns_of(std::string_view text);

/// The part of a text that fits, and the rest. A character is never cut.
struct cut_text {
  std::string fits;
  std::string rest;
};
[[nodiscard]] cut_text cut_at(std::string_view text, int columns);

/// The same text without what a terminal would not simply print.
/// @param utf8  false: what is no ASCII becomes `?`
[[nodiscard]] std::string printable(std::string_view text, bool utf8);

}  // namespace autoreload::command
