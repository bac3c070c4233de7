// SPDX-License-Identifier: MIT
// damage_any: bytes with a few of them changed, the way files get damaged.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <random>
#include <string>

namespace autoreload_test {

/// A copy with one to four changes: a bit flipped, a range zeroed, filled with ones, made random, or copied elsewhere.
/// @param first, size  the part to change; all of it when size is 0
inline std::string damage_any(std::string bytes, std::mt19937_64& random, std::size_t first = 0, std::size_t size = 0) {
  if (size == 0) size = bytes.size();
  const auto pick = [&](std::size_t below) { return std::uniform_int_distribution<std::size_t>(0, below - 1)(random); };
  for (std::size_t times = 1 + pick(4); times != 0; --times) {
    // The first bytes are headers and decide the most.
    const std::size_t into = pick(pick(3) == 0 ? std::min<std::size_t>(size, 32) : size);
    char* const where = bytes.data() + first + into;
    const std::size_t length = std::min(1 + pick(16), size - into);
    switch (pick(5)) {
      case 0: *where = static_cast<char>(*where ^ (1 << pick(8))); break;
      case 1: std::memset(where, 0, length); break;
      case 2: std::memset(where, 0xff, length); break;
      case 3: std::generate_n(where, length, [&] { return static_cast<char>(pick(256)); }); break;
      default: std::memmove(where, bytes.data() + first + pick(size - length + 1), length);
    }
  }
  return bytes;
}

}  // namespace autoreload_test
