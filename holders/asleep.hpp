// SPDX-License-Identifier: MIT
// asleep: looks at a thread that waits in the kernel, without stopping or waking it.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <string>

namespace autoreload::holding {

/// Where a thread was seen.
struct thread_position {
  bool there = false;    ///< it has not ended
  bool running = false;  ///< nothing else is known then
  long call = -1;        ///< number of the system call that it waits in; -1: it waits for something else
  std::array<std::uint64_t, 6> arguments{};
  std::uintptr_t stack_pointer = 0;
  std::uint64_t switches = 0;  ///< how often it was switched out so far
  bool operator==(const thread_position&) const = default;
};

/// Asks the kernel. Two positions that are equal and not `running` prove that the thread did not run in between: to
/// come back to sleep it would have been switched out once more.
[[nodiscard]] thread_position position_of(pid_t thread);

/// Whether the thread can be stopped in this call without its noticing: the call goes on afterwards with the time that
/// was left, or had no limit.
[[nodiscard]] bool may_be_stopped(const thread_position& at) noexcept;

}  // namespace autoreload::holding
