// SPDX-License-Identifier: MIT
// safe_functions: the functions of libc that may be left half-way, as they hold no lock and own nothing.
//
// SHARED  the tables: written once, before a handler that reads them is installed.
#pragma once

#include <cstdint>

namespace autoreload {

/// Looks the functions up. Takes the loader's lock: before any handler that asks is there.
void look_safe_functions_up();

/// Whether an address is in libc's code. Async-signal-safe, as are the others.
[[nodiscard]] bool is_in_libc(std::uintptr_t address) noexcept;
/// Whether the function that starts here may be left in the middle: it works on memory that its caller owns, or waits
/// in a system call.
[[nodiscard]] bool may_be_left(std::uintptr_t start) noexcept;
/// Whether it waits in a system call.
[[nodiscard]] bool waits(std::uintptr_t start) noexcept;
/// Whether the function that starts here is one by which its caller gives up: abort, raise, a failed assertion. None
/// holds a lock while it raises SIGABRT, from whose handler C allows not to return.
[[nodiscard]] bool gives_up(std::uintptr_t start) noexcept;

}  // namespace autoreload
