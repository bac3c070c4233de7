// SPDX-License-Identifier: MIT
// own_stack: whether a thread is inside of a library, as far as its own stack tells.
#pragma once

#include <cstdint>
#include <vector>

namespace autoreload {

/// [start, end) in memory.
struct address_range {
  std::uintptr_t start, end;
};

enum class on_stack : std::uint8_t {
  nothing,  ///< no call into the ranges is under way up there, and nobody holds an address of theirs
  address,  ///< there is an address of theirs: of a call under way, of what somebody keeps, or by chance
  unknown,  ///< it is not the thread's own stack: a fiber's, say, or that of a signal handler
};

/// Reads the calling thread's stack from a frame to its base, word by word: about 1 ns each. Any thread.
/// @param frame  __builtin_frame_address(0) of a caller that has called __builtin_unwind_init(), so that the registers
///               of those above it are in its frame
/// @param but    what lies there and may hold such addresses
[[nodiscard]] on_stack look_at_own_stack(const void* frame, const std::vector<address_range>& ranges,
                                         address_range but) noexcept;

}  // namespace autoreload
