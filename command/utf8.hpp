// SPDX-License-Identifier: MIT
// utf8: letters from bytes and back.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace autoreload::command {

struct decoded_letter {
  std::size_t bytes = 1;
  char32_t code = 0;
  bool valid = false;  ///< false: `bytes` bytes are no letter
};

/// @param text  not empty; any bytes
[[nodiscard]] inline decoded_letter first_letter(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return {1, lead, true};
  const std::size_t size = lead >= 0xf0 && lead < 0xf5   ? 4
                           : lead >= 0xe0 && lead < 0xf0 ? 3
                           : lead >= 0xc2 && lead < 0xe0 ? 2
                                                         : 0;
  if (size == 0 || text.size() < size) return {};
  char32_t code = lead & (0xffU >> (size + 1));
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {};
    code = code << 6 | (byte(i) & 0x3fU);
  }
  constexpr std::array<char32_t, 5> smallest{0, 0, 0x80, 0x800, 0x10000};
  return {size, code, code >= smallest[size] && (code < 0xd800 || code >= 0xe000) && code <= 0x10ffff};
}

/// Nothing when it is no UTF-8.
[[nodiscard]] inline std::optional<std::vector<char32_t>> letters_of(std::string_view text) {
  std::vector<char32_t> letters;
  while (!text.empty()) {
    const decoded_letter next = first_letter(text);
    if (!next.valid) return std::nullopt;
    letters.push_back(next.code);
    text.remove_prefix(next.bytes);
  }
  return letters;
}

inline void append_utf8(std::string& into, char32_t code) {
  const auto put = [&](char32_t byte) { into.push_back(static_cast<char>(byte)); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xc0 | code >> 6);
    put(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    put(0xe0 | code >> 12);
    put(0x80 | (code >> 6 & 0x3f));
    put(0x80 | (code & 0x3f));
  } else {
    put(0xf0 | code >> 18);
    put(0x80 | (code >> 12 & 0x3f));
    put(0x80 | (code >> 6 & 0x3f));
    put(0x80 | (code & 0x3f));
  }
}

}  // namespace autoreload::command
