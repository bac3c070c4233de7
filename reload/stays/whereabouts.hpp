// SPDX-License-Identifier: MIT
// whereabouts: what a thread does that is still inside an old generation, without disturbing it.
#pragma once

#include <sys/types.h>

#include <string>

namespace autoreload {

/// In words: the thread's number and name; whether it runs or waits in a system call; and where. Of one that waits
/// that is the function and line of a generation that it will most likely return to: the nearest word on its stack that
/// leads into a generation's code. One that runs is stopped for a moment, and each frame of a generation is named,
/// innermost first, or why it can't be.
/// @param thread  of this process, as gettid() gives it
[[nodiscard]] std::string whereabouts_of(pid_t thread);

}  // namespace autoreload
