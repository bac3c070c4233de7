// SPDX-License-Identifier: MIT
// output: keeps the beginning and the end of a build's output, and strips what only a terminal understands.
#include "rebuild/output.hpp"

#include <algorithm>

namespace autoreload::building {

void bounded_output::add(std::string_view piece) {
  size_ += piece.size();
  const std::size_t half = limit_ / 2;
  const std::size_t first = std::min(piece.size(), half - std::min(half, head_.size()));
  head_.append(piece.substr(0, first));
  tail_.append(piece.substr(first));
  if (tail_.size() > 2 * half) tail_.erase(0, tail_.size() - half);
}

std::string bounded_output::text() const {
  const std::size_t half = limit_ / 2;
  const std::string_view end = std::string_view(tail_).substr(tail_.size() - std::min(half, tail_.size()));
  const std::uint64_t missing = size_ - head_.size() - end.size();
  if (missing == 0) return head_ + std::string(end);
  return head_ + "\n… " + std::to_string(missing) + " bytes are left out here …\n" + std::string(end);
}

namespace {

// The length of the escape sequence that starts here.
std::size_t escape_length(std::string_view at) {
  if (at.size() < 2) return 1;
  if (at[1] == '[') {  // parameters, then one letter
    std::size_t end = 2;
    while (end < at.size() && at[end] >= 0x20 && at[end] <= 0x3f) ++end;
    return std::min(end + 1, at.size());
  }
  if (at[1] == ']') {  // gcc's links: up to a bell or ESC backslash
    for (std::size_t end = 2; end < at.size() && at[end] != '\n'; ++end) {
      if (at[end] == '\a') return end + 1;
      if (at[end] == '\x1b' && end + 1 < at.size() && at[end + 1] == '\\') return end + 2;
    }
  }
  return 2;
}

}  // namespace

std::string without_escapes(std::string_view text) {
  std::string plain;
  plain.reserve(text.size());
  std::size_t line = 0;  // where the current one starts
  for (std::size_t at = 0; at < text.size();) {
    const char c = text[at];
    if (c == '\x1b') {
      at += escape_length(text.substr(at));
      continue;
    }
    if (c == '\r' && at + 1 < text.size() && text[at + 1] != '\n') plain.resize(line);
    if (c != '\r') plain.push_back(c);
    if (c == '\n') line = plain.size();
    ++at;
  }
  return plain;
}

}  // namespace autoreload::building
