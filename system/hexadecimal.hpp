// SPDX-License-Identifier: MIT
// hexadecimal: a number as addresses are written.
#pragma once

#include <array>
#include <cstdint>
#include <cstdio>
#include <string>

namespace autoreload {

/// Such as `0x1c`. Any thread.
[[nodiscard]] inline std::string hexadecimal(std::uint64_t number) {
  std::array<char, 24> text{};
  std::snprintf(text.data(), text.size(), "0x%llx", static_cast<unsigned long long>(number));
  return text.data();
}

}  // namespace autoreload
