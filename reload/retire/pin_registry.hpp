// SPDX-License-Identifier: MIT
// pin_registry: every thread's pins, as the retire stage sees them.
#pragma once

#include <sys/types.h>

#include <autoreload/pin.hpp>
#include <optional>
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

/// One pin of a table, if there is any; the same holds. Allocates nothing. Any thread.
[[nodiscard]] std::optional<held_pin> pin_of(const void* table) noexcept;

/// Whether a pin that this thread made holds the table; another thread may drop it at any moment. Async-signal-safe.
[[nodiscard]] bool this_thread_pins(const void* table) noexcept;

/// Holds a table that is published no more, for the calling thread, and that nobody can be unloading meanwhile.
/// @throws std::bad_alloc
[[nodiscard]] detail::pinned hold_beside(const void* table);

/// Whether membarrier works here; otherwise every pin pays for a fence.
[[nodiscard]] bool has_membarrier() noexcept;

}  // namespace autoreload
