// SPDX-License-Identifier: MIT
// stayer: who is still inside a generation, for a person: the thread's name, and the function if it can be seen.
#pragma once

#include <sys/types.h>

#include <string>

#include "reload/generation.hpp"

namespace autoreload {

/// Such as `, in mix()`: the library's function nearest to the top of the thread's stack. A guess: an address that lies
/// on the stack may be of a call that has returned. Only a thread that sleeps can be looked at. @return empty when
/// there is nothing to see. Any thread.
[[nodiscard]] std::string function_inside(pid_t thread, const generation& one);

}  // namespace autoreload
