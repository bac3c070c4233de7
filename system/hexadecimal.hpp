// SPDX-License-Identifier: MIT
// hexadecimal: a number as addresses are written, and bytes as a build-id is.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <span>
#include <string>

namespace autoreload {

/// Such as `0x1c`. Any thread.
[[nodiscard]] inline std::string hexadecimal(std::uint64_t number) {
  std::array<char, 24> text{};
  std::snprintf(text.data(), text.size(), "0x%llx", static_cast<unsigned long long>(number));
  return text.data();
}

/// Such as `1c07`: two digits for each. Any thread.
[[nodiscard]] inline std::string hexadecimal(std::span<const std::byte> bytes) {
  std::string digits;
  for (const std::byte one : bytes) {
    for (const unsigned half : {std::to_integer<unsigned>(one) >> 4, std::to_integer<unsigned>(one) & 15U}) {
      digits += "0123456789abcdef"[half];
    }
  }
  return digits;
}

}  // namespace autoreload
