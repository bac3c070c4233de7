// SPDX-License-Identifier: MIT
// painter: cursor addressing and erasing are ECMA-48's, which all terminals know. The frame is bracketed (mode 2026),
// so that those which can show it at once do.
#include "painter.hpp"

namespace autoreload::command {

std::string painter::paint_over(const std::vector<screen_line>& frame, screen_size size, const glyphs& by) {
  std::vector<std::string> rows;
  rows.reserve(frame.size());
  for (const screen_line& line : frame) rows.push_back(line.bytes(size.columns, by));
  const bool whole = !known_ || !(size == size_);
  std::string bytes;
  if (whole) bytes = "\033[H\033[2J";
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const bool same = whole ? rows[i].empty() : i < rows_.size() && rows_[i] == rows[i];
    if (same) continue;
    // Erased before, not after: after a full line the cursor still stands on its last column.
    bytes += "\033[" + std::to_string(i + 1) + ";1H\033[K" + rows[i];
  }
  known_ = true;
  size_ = size;
  rows_ = std::move(rows);
  return bytes.empty() ? bytes : "\033[?2026h" + bytes + "\033[?2026l";
}

}  // namespace autoreload::command
