// SPDX-License-Identifier: MIT
// gnu_hash: how DT_GNU_HASH counts a name.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

namespace autoreload {

[[nodiscard]] constexpr std::uint32_t gnu_hash(const char* name) noexcept {
  std::uint32_t hash = 5381;
  for (; *name != '\0'; ++name) hash = hash * 33 + static_cast<unsigned char>(*name);
  return hash;
}

/// The same, eight letters at a time: for who counts all names of a library.
/// @param end  where the string table ends that the name is in
[[nodiscard]] inline std::uint32_t gnu_hash(const char* name, const char* end) noexcept {
  if constexpr (std::endian::native != std::endian::little) return gnu_hash(name);
  // The powers of 33.
  constexpr std::uint32_t powers[] = {1, 33, 1089, 35937, 1185921, 39135393, 1291467969, 3963737313, 1954312449};
  constexpr std::uint64_t ones = 0x0101010101010101, highest = ones << 7;
  std::uint32_t hash = 5381;
  for (; end - name >= 8; name += 8) {
    std::uint64_t word;
    std::memcpy(&word, name, sizeof word);
    const std::uint64_t ends = (word - ones) & ~word & highest;  // its lowest bit is the first zero's
    const unsigned letters = ends == 0 ? 8 : static_cast<unsigned>(std::countr_zero(ends)) / 8;
    if (letters == 0) return hash;
    word <<= 8 * (8 - letters);  // zeros before a name count nothing
    // Neighbours are added up, by twos, fours and eights; no sum flows over.
    word = (word & 0x00ff00ff00ff00ff) * 33 + (word >> 8 & 0x00ff00ff00ff00ff);
    word = (word & 0x0000ffff0000ffff) * powers[2] + (word >> 16 & 0x0000ffff0000ffff);
    const auto sum = static_cast<std::uint32_t>(word) * powers[4] + static_cast<std::uint32_t>(word >> 32);
    if (letters != 8) return hash * powers[letters] + sum;
    hash = hash * powers[8] + sum;
  }
  for (; *name != '\0'; ++name) hash = hash * 33 + static_cast<unsigned char>(*name);
  return hash;
}

}  // namespace autoreload
