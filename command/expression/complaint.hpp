// SPDX-License-Identifier: MIT
// complaint: what is wrong with an expression, and with which part of its text.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace autoreload::command {

/// A part of an expression's text, in bytes.
struct place {
  std::size_t begin = 0;
  std::size_t end = 0;
};
[[nodiscard]] inline place join(place a, place b) { return {a.begin, b.end}; }

/// Thrown inside of command/expression, and caught where an expression is handed in: a recursive parser has no other
/// use for a result of each of its functions.
struct complaint {
  std::string text;                  ///< one sentence without a full stop
  place where;                       ///< what gets the carets
  std::vector<std::string> notes{};  ///< such as the function's prototype
};

[[noreturn]] inline void complain(place where, std::string text) { throw complaint{std::move(text), where}; }

}  // namespace autoreload::command
