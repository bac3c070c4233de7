// SPDX-License-Identifier: MIT
// running_thread: where a thread is that runs: its frames, as the unwinder finds them.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstddef>
#include <cstdint>

namespace autoreload {

struct thread_frames {
  std::array<std::uintptr_t, 64> places{};  ///< innermost first: the instruction that runs, then those that call
  std::size_t count = 0;
  int error = 0;  ///< why the thread could not be stopped, an errno
};

/// Stops a thread of this process for the time that unwinding takes, some 0.1 ms, and lets it go on. It is done by
/// ptrace from a child that borrows this process's memory: no signal is sent to the thread, and no handler runs there.
/// Should it begin a system call at that very moment, this goes on as under a debugger. At most a second.
/// @param thread  not the calling one
/// Nothing is found under a sanitizer, whose children have a copy of the memory.
[[nodiscard]] thread_frames frames_of(pid_t thread) noexcept;

}  // namespace autoreload
