// SPDX-License-Identifier: MIT
// source_excerpt: reads the file each time, because it is being edited.
#include "source_excerpt.hpp"

#include <sys/stat.h>

#include <fstream>

#include "text_width.hpp"

namespace autoreload::command {

namespace {

constexpr std::size_t longest_line = 4096;

// Tabs as blanks up to the next multiple of 4, which is what fits a narrow screen.
std::string without_tabs(const std::string& text) {
  std::string made;
  for (const char c : text) {
    c == '\t' ? void(made.append(4 - made.size() % 4, ' ')) : made.push_back(c);
  }
  return made;
}

}  // namespace

std::vector<excerpt_line> excerpt_of(const std::string& file, unsigned line, unsigned column, unsigned around) {
  struct stat status {};
  if (line == 0 || stat(file.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return {};
  std::ifstream in(file);
  std::vector<excerpt_line> list;
  bool found = false;
  std::string text;
  for (unsigned number = 1; number <= line + around && std::getline(in, text); ++number) {
    if (number + around < line) continue;
    if (text.size() > longest_line) text.resize(longest_line);
    excerpt_line made{.number = number, .text = without_tabs(text), .here = number == line};
    if (made.here) {
      found = true;
      if (column != 0 && column <= text.size() + 1) made.caret = columns_of(without_tabs(text.substr(0, column - 1)));
    }
    list.push_back(std::move(made));
  }
  return found ? list : std::vector<excerpt_line>{};
}

}  // namespace autoreload::command
