// SPDX-License-Identifier: MIT
// grace_period: waits until no thread can newly pin what was unpublished.
//
// A caller announces a table and looks again whether it is current, with no fence between the two; the engine
// unpublishes and then looks at the announcements. Between these the engine needs a fence on every thread:
// membarrier(2). A sandbox may refuse it later, when callers have long been without their own. Then the same is had by
// looking: a thread that is asleep, or was switched out since, has been through the scheduler, which is a full fence.
#pragma once

#include "reload/retire/shared_registry.hpp"

namespace autoreload {

struct grace {
  bool passed;         ///< otherwise try again later: nothing may be unloaded on the strength of this
  int refused = 0;     ///< errno of a membarrier that was granted once and is refused now, or 0
  bool blind = false;  ///< there is no /proc to look at instead
};

/// Asks for membarrier(2). @return whether callers may do without fences of their own. Once per process and fork.
[[nodiscard]] bool ask_for_membarrier() noexcept;

/// After this has passed, no thread can newly pin a table that was unpublished before the call. About 10 µs; without
/// membarrier at most 20 ms, as a thread that runs on must be made to stop for a moment.
[[nodiscard]] grace pass_grace_period(const pin_registry& registry) noexcept;

}  // namespace autoreload
