// SPDX-License-Identifier: MIT
// show: a value as C would write it.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "evaluate.hpp"

namespace autoreload::command {

/// How values are written.
struct show_options {
  unsigned base = 10;               ///< of integers: 2, 8, 10 or 16
  std::size_t most_elements = 200;  ///< of an array, and letters of a string
};

/// A value taken apart, so that it can be written as text or as JSON.
struct shown_value {
  enum class kind : std::uint8_t { number, truth, character, string, constant, pointer, fields, elements, unreadable };
  kind is = kind::unreadable;
  std::string text{};  ///< a number, a string's bytes, a constant's name, an address
  std::vector<std::pair<std::string, shown_value>> parts{};  ///< fields with their names, or elements
  bool cut = false;                                          ///< there is more
  char prefix = '\0';                                        ///< of a wide string: L, u or U; its text is UTF-8
};

/// @param from  its bytes; what pointers in it lead to is looked up in this process's memory, where it is a string
[[nodiscard]] shown_value show(const value& from, const type_table& types, const show_options& options);

/// `{.x = 1, .name = "text"}`
[[nodiscard]] std::string to_text(const shown_value& of);

}  // namespace autoreload::command
