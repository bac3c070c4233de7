// SPDX-License-Identifier: MIT
// screen_line: whatever text comes, nothing in it moves the cursor.
#include "screen_line.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "text_width.hpp"

namespace autoreload::command {

glyphs glyphs::of_environment() {
  for (const char* const variable : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const char* const value = std::getenv(variable);
    if (value == nullptr || *value == '\0') continue;
    std::string set;
    for (const char* c = value; *c != '\0'; ++c) {
      if (*c != '-') set.push_back(static_cast<char>(*c >= 'A' && *c <= 'Z' ? *c - 'A' + 'a' : *c));
    }
    return set.find("utf8") != std::string::npos ? glyphs{} : ascii();
  }
  return ascii();
}

screen_line& screen_line::add(ink colour, std::string text) {
  columns_ += columns_of(printable(text, true));
  pieces_.push_back({colour, std::move(text)});
  return *this;
}

screen_line& screen_line::pad_to(int column) {
  return add(std::string(static_cast<std::size_t>(std::max(column - columns_, pieces_.empty() ? 0 : 1)), ' '));
}

std::string screen_line::bytes(int columns, const glyphs& by) const {
  std::string made;
  int left = columns;
  const bool too_long = columns_ > columns;
  for (const piece& p : pieces_) {
    const std::string text = printable(p.text, by.utf8);
    const int wide = columns_of(text);
    if (!too_long || wide < left) {
      made += paint(p.colour, text, STDOUT_FILENO);
      left -= wide;
      continue;
    }
    made += paint(p.colour, cut_at(text, std::max(left - 1, 0)).fits + std::string(by.more), STDOUT_FILENO);
    break;
  }
  return made;
}

}  // namespace autoreload::command
