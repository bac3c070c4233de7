// SPDX-License-Identifier: MIT
// number: reads a number of one type and writes it as one of another, where the value fits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "types/description.hpp"

namespace autoreload::state {

/// How a number lies in memory.
struct number_format {
  types::encoding encoding = types::encoding::other;
  std::uint64_t size = 0;      ///< bytes of the type
  std::uint64_t bit = 0;       ///< of a bit-field: where it starts, less than 8
  std::uint64_t bit_size = 0;  ///< of a bit-field; 0 for a whole number
};

/// Whether this file can read and write it at all.
[[nodiscard]] bool is_readable(const number_format& format);

/// A number as it is, whatever type it was read from.
struct number {
  bool floating = false;
  bool negative = false;
  std::uint64_t magnitude = 0;
  long double real = 0;

  bool operator==(const number& other) const;
};

[[nodiscard]] number read_number(const std::byte* from, const number_format& format);
/// @return whether the value fits; nothing is written when it does not. A fraction is cut off.
[[nodiscard]] bool write_number(const number& value, std::byte* to, const number_format& format);

/// The bits of a constant of debug information as the value of the type, whichever sign it was written with.
[[nodiscard]] number number_of(std::uint64_t bits, const number_format& format);

}  // namespace autoreload::state
