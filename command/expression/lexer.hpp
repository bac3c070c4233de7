// SPDX-License-Identifier: MIT
// lexer: C's tokens, and `$1` for an earlier result.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "complaint.hpp"

namespace autoreload::command {

enum class token_kind : std::uint8_t { name, whole, real, character, string, earlier, sign, end };

struct token {
  token_kind kind = token_kind::end;
  place where{};
  std::string text{};        ///< a name, a sign as it is written, or a string's bytes with the escapes replaced
  std::uint8_t unit = 1;     ///< bytes of a string's or character's letters: 4 for L"" and U"", 2 for u""
  char prefix = '\0';        ///< L, u or U
  std::uint64_t whole = 0;   ///< a whole number, a character's value, or the number after `$`
  long double real = 0;      ///< a floating number
  bool decimal = true;       ///< a whole number that is not written in hexadecimal, octal or binary
  bool is_unsigned = false;  ///< suffix u
  std::uint8_t longs = 0;    ///< suffixes l, or ll
  bool is_float = false;     ///< suffix f
};

/// @throws complaint  for what is no token of C's
/// @return the tokens with `end` as the last. Adjacent strings are one.
[[nodiscard]] std::vector<token> tokens_of(std::string_view text);

}  // namespace autoreload::command
