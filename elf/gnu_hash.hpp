// SPDX-License-Identifier: MIT
// gnu_hash: how DT_GNU_HASH counts a name.
#pragma once

#include <cstdint>

namespace autoreload {

[[nodiscard]] constexpr std::uint32_t gnu_hash(const char* name) noexcept {
  std::uint32_t hash = 5381;
  for (; *name != '\0'; ++name) hash = hash * 33 + static_cast<unsigned char>(*name);
  return hash;
}

}  // namespace autoreload
