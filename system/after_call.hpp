// SPDX-License-Identifier: MIT
// after_call: tells a return address from other words that lead into code.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "system/own_memory.hpp"

namespace autoreload {

/// Whether the instruction before an address of loaded code is a call: what is there is where that call comes back to.
/// A function's address, for one, is no trace of a call. Async-signal-safe.
[[nodiscard]] inline bool follows_a_call(std::uintptr_t address) noexcept {
#if defined(__x86_64__)
  std::array<unsigned char, 7> before{};
  if (copy_memory(address - before.size(), before.data(), before.size()) != before.size()) return false;
  if (before[2] == 0xe8) return true;  // by distance
  for (const std::size_t length : {2U, 3U, 4U, 6U, 7U}) {
    const std::size_t at = before.size() - length;
    if (before[at] == 0xff && (before[at + 1] & 0x38) == 0x10) return true;  // by a register or through memory
  }
  return false;
#else
  std::uint32_t before = 0;
  if (copy_memory(address - sizeof before, &before, sizeof before) != sizeof before) return false;
  return (before & 0xfc000000) == 0x94000000 || (before & 0xfffffc1f) == 0xd63f0000;
#endif
}

}  // namespace autoreload
