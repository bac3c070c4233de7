// SPDX-License-Identifier: MIT
// pin_registry: every thread's pins, as the retire stage sees them.
#pragma once

#include <sys/types.h>

#include <vector>

#include "reload/retire/grace_period.hpp"

namespace autoreload {

/// Prepares the process for pins: registers with membarrier(2) and for fork(2). Any thread; the first call does it.
/// @throws error of stage use when another version of this library is in use in the process
void prepare_pins();

/// After this has passed, no thread can newly pin a table that was unpublished before the call. After prepare_pins().
[[nodiscard]] grace grace_barrier() noexcept;

/// One pin: a table and the thread that announced it.
struct held_pin {
  const void* table;
  pid_t thread;  ///< as gettid() gives it, at the time of the thread's first call
};

/// Everything that is pinned at this moment. A table that a successful grace_barrier() has passed by and that is not
/// listed will never be validly pinned again. Any thread.
[[nodiscard]] std::vector<held_pin> held_pins();

/// Whether membarrier works here; otherwise every pin pays for a fence.
[[nodiscard]] bool has_membarrier() noexcept;

}  // namespace autoreload
