// SPDX-License-Identifier: MIT
// number: a value of any of C's arithmetic types, and its arithmetic.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "type_table.hpp"

namespace autoreload::command {

__extension__ using wide = __int128;
__extension__ using unsigned_wide = unsigned __int128;

/// Holds the value of any arithmetic type exactly.
struct number {
  bool is_whole = true;
  wide whole = 0;  ///< an unsigned 128-bit value as its bits
  long double real = 0;
  long double imaginary = 0;
};

/// @param bytes  at least as many as the type has
[[nodiscard]] number load(std::span<const std::byte> bytes, basic as);
/// Converts as C does. A floating value outside of an integer type's range becomes its smallest value, where C leaves
/// it open.
[[nodiscard]] std::vector<std::byte> store(const number& value, basic as);
[[nodiscard]] number convert(const number& value, basic to);
[[nodiscard]] bool is_true(const number& value);

/// `a sign b` where both are converted to `common` first; a comparison gives 0 or 1.
/// @return nothing for an integer division by 0 or a shift by too much
[[nodiscard]] std::optional<number> calculate(const number& a, std::string_view sign, const number& b, basic common);

}  // namespace autoreload::command
