// SPDX-License-Identifier: MIT
// text_width: the ranges are those of Unicode's East Asian wide and of combining characters, without their gaps.
#include "text_width.hpp"

#include <algorithm>
#include <array>

#include "command/utf8.hpp"

namespace autoreload::command {

namespace {

struct range {
  char32_t first;
  char32_t last;
};

constexpr std::array<range, 9> combining{{{0x300, 0x36f},
                                          {0x483, 0x489},
                                          {0x591, 0x5bd},
                                          {0x610, 0x61a},
                                          {0x64b, 0x65f},
                                          {0x200b, 0x200f},
                                          {0x20d0, 0x20ff},
                                          {0xfe00, 0xfe0f},
                                          {0xfe20, 0xfe2f}}};
constexpr std::array<range, 11> wide{{{0x1100, 0x115f},
                                      {0x231a, 0x231b},
                                      {0x2e80, 0x303e},
                                      {0x3041, 0xa4cf},
                                      {0xac00, 0xd7a3},
                                      {0xf900, 0xfaff},
                                      {0xfe30, 0xfe6f},
                                      {0xff00, 0xff60},
                                      {0xffe0, 0xffe6},
                                      {0x1f300, 0x1faff},
                                      {0x20000, 0x3fffd}}};

template <std::size_t N>
bool within(char32_t code, const std::array<range, N>& ranges) {
  return std::any_of(ranges.begin(), ranges.end(), [&](range r) { return code >= r.first && code <= r.last; });
}

}  // namespace

text_character first_character(std::string_view text) {
  const decoded_letter next = first_letter(text);
  const char32_t code = next.code;
  const bool control = code < 0x20 || (code >= 0x7f && code < 0xa0) || (code >= 0x2028 && code <= 0x202e) ||
                       (code >= 0x2066 && code <= 0x2069);
  if (!next.valid || control) return {next.bytes, 0, false};
  return {next.bytes, within(code, combining) ? 0 : within(code, wide) ? 2 : 1, true};
}

int columns_of(std::string_view text) {
  int columns = 0;
  while (!text.empty()) {
    const text_character next = first_character(text);
    columns += next.columns;
    text.remove_prefix(next.bytes);
  }
  return columns;
}

cut_text cut_at(std::string_view text, int columns) {
  std::size_t end = 0;
  int used = 0;
  while (end < text.size()) {
    const text_character next = first_character(text.substr(end));
    if (used + next.columns > columns) break;
    used += next.columns;
    end += next.bytes;
  }
  return {std::string(text.substr(0, end)), std::string(text.substr(end))};
}

std::string printable(std::string_view text, bool utf8) {
  std::string made;
  while (!text.empty()) {
    const text_character next = first_character(text);
    const bool plain = next.shown && (utf8 || next.bytes == 1);
    plain ? void(made.append(text.substr(0, next.bytes))) : made.push_back('?');
    text.remove_prefix(next.bytes);
  }
  return made;
}

}  // namespace autoreload::command
