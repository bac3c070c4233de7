// SPDX-License-Identifier: MIT
// source_excerpt: the line of a source that something is wrong with, and its neighbours.
#pragma once

#include <string>
#include <vector>

namespace autoreload::command {

struct excerpt_line {
  unsigned number = 0;  ///< from 1
  std::string text;     ///< without tabs
  bool here = false;    ///< the line itself
  int caret = -1;       ///< of that line: the column under which a caret belongs, from 0; -1: none
};

/// @param around  so many lines before and after
/// @param column  in bytes, from 1, as compilers count; 0: none
/// @return nothing when the file can't be read or has no such line
[[nodiscard]] std::vector<excerpt_line> excerpt_of(const std::string& file, unsigned line, unsigned column,
                                                   unsigned around);

}  // namespace autoreload::command
