// SPDX-License-Identifier: MIT
// call_timer: interrupts the thread that made it, again and again, once a call of it has lasted too long.
#pragma once

#include <cstdint>

namespace autoreload {

namespace detail {
class landing;
}

/// Not thread-safe: of the thread that it interrupts.
class call_timer {
 public:
  call_timer() = default;
  call_timer(const call_timer&) = delete;
  call_timer& operator=(const call_timer&) = delete;
  ~call_timer();

  /// @param of        told to the signal's handler
  /// @param time      until the first interruption, nanoseconds
  /// @param at_once   interrupts from the beginning: there is something to look for
  /// @return whether there is a signal and a timer
  [[nodiscard]] bool start(detail::landing* of, std::int64_t time, bool at_once) noexcept;

 private:
  int timer_ = -1;
};

}  // namespace autoreload
