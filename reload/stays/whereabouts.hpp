// SPDX-License-Identifier: MIT
// whereabouts: what a thread does that is still inside an old generation, without disturbing it.
#pragma once

#include <sys/types.h>

#include <string>

namespace autoreload {

/// In words: the thread's number and name; whether it runs or waits in a system call; and, if it waits, which function
/// and line of a generation it will most likely return to. That is the nearest word on its stack that leads into a
/// generation's code. Where a running thread is can't be had without a signal, which might interrupt what it does.
/// @param thread  of this process, as gettid() gives it
[[nodiscard]] std::string whereabouts_of(pid_t thread);

}  // namespace autoreload
