// SPDX-License-Identifier: MIT
// bits: bit-fields in bytes, the lowest bit first, as little-endian machines have them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "number.hpp"

namespace autoreload::command {

[[nodiscard]] inline wide take_bits(std::span<const std::byte> bytes, std::uint64_t offset, std::uint64_t size,
                                    bool is_signed) {
  unsigned_wide made = 0;
  for (std::uint64_t i = 0; i < size && i < 128; ++i) {
    const std::uint64_t at = offset + i;
    if (at / 8 >= bytes.size()) break;
    const auto bit = std::to_integer<unsigned>(bytes[at / 8] >> (at % 8)) & 1U;
    made |= static_cast<unsigned_wide>(bit) << i;
  }
  const bool negative = is_signed && size != 0 && size < 128 && (made >> (size - 1) & 1) != 0;
  return static_cast<wide>(negative ? made | ~unsigned_wide{0} << size : made);
}

inline void put_bits(std::span<std::byte> bytes, std::uint64_t offset, std::uint64_t size, wide value) {
  for (std::uint64_t i = 0; i < size && i < 128; ++i) {
    const std::uint64_t at = offset + i;
    if (at / 8 >= bytes.size()) return;
    const std::byte mask = std::byte{1} << (at % 8);
    const bool set = (static_cast<unsigned_wide>(value) >> i & 1) != 0;
    bytes[at / 8] = set ? bytes[at / 8] | mask : bytes[at / 8] & ~mask;
  }
}

}  // namespace autoreload::command
