// SPDX-License-Identifier: MIT
// output_tail: escape sequences (ECMA-48) are left out, other control characters are shown as `?`.
#include "output_tail.hpp"

namespace autoreload::command {

namespace {
constexpr std::size_t longest_line = 2000;  // bytes
}

void output_tail::feed(std::string_view bytes) {
  for (const char byte : bytes) take(byte);
}

std::string& output_tail::line() {
  if (ended_) {
    lines_.emplace_back();
    ++count_;
    if (lines_.size() > most_) lines_.pop_front();
    ended_ = false;
    returned_ = false;
  }
  if (returned_) lines_.back().clear();
  returned_ = false;
  return lines_.back();
}

void output_tail::take(char byte) {
  const auto code = static_cast<unsigned char>(byte);
  switch (where_) {
    case at::escape:
      // `ESC [` opens a sequence that a letter ends, `ESC ]` and its like a string.
      where_ = byte == '['                                                ? at::sequence
               : byte == ']' || byte == 'P' || byte == '_' || byte == '^' ? at::string
               : code >= 0x20 && code < 0x30                              ? at::escape
                                                                          : at::text;
      return;
    case at::sequence:
      if (code >= 0x40 && code < 0x7f) where_ = at::text;
      return;
    case at::string:
      if (byte == '\a' || byte == '\n') where_ = at::text;
      if (byte == '\033') where_ = at::escape;
      return;
    case at::text: break;
  }
  if (byte == '\n') {
    returned_ = false;
    line();
    ended_ = true;
  } else if (byte == '\r') {
    returned_ = !ended_;
  } else if (byte == '\033') {
    where_ = at::escape;
  } else if (byte == '\b') {
    if (std::string& now = line(); !now.empty()) now.pop_back();
  } else if (std::string& now = line(); now.size() < longest_line) {
    if (byte == '\t') {
      now.append(8 - now.size() % 8, ' ');
    } else {
      now.push_back(code < 0x20 || code == 0x7f ? '?' : byte);
    }
  }
}

}  // namespace autoreload::command
