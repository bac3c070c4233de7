// SPDX-License-Identifier: MIT
// thread_files: what /proc tells of a thread of this process, without disturbing it.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace autoreload {

/// What /proc/self/task/THREAD/FILE has, up to 4 KB; empty if it is not there. Any thread.
[[nodiscard]] std::string read_of_thread(pid_t thread, const char* file);

/// Such as `thread 4711 ("audio")`. Any thread.
[[nodiscard]] std::string words_of_thread(pid_t thread);

/// What a thread waits in.
struct waiting_call {
  long number = -1;  ///< of the system call; -1: it waits for something else
  std::array<std::uint64_t, 6> arguments{};
  std::uintptr_t stack = 0;        ///< its stack pointer
  std::uintptr_t instruction = 0;  ///< where it is
};

/// Reads a thread's file `syscall`. @return nothing when it runs, or nothing is known
[[nodiscard]] std::optional<waiting_call> call_in(std::string_view text);

/// Reads a stack of this process as one reads a stranger's: by a system call, which fails where a pointer would crash.
/// @param stack  a stack pointer, of a thread that sleeps
/// @param most   words, up to 4096; there are fewer where the stack ends
[[nodiscard]] std::vector<std::uintptr_t> words_on_stack(std::uintptr_t stack, std::size_t most);

}  // namespace autoreload
