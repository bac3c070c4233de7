// SPDX-License-Identifier: MIT
// signals: the handlers that end guarded calls.
//
// SHARED  the earlier actions (see earlier_action.hpp) and the timer's signal: written under a mutex that no handler
//         takes, before the handler is reachable; `caught` and `timer_signal` (release, acquire) say that it is.
#pragma once

namespace autoreload {

/// Installs the handlers of faults, once in the process. @return whether they are there
[[nodiscard]] bool catch_faults() noexcept;

/// Installs the handler of a real-time signal that nobody uses, once in the process. @return its number, or 0
[[nodiscard]] int catch_timer() noexcept;

}  // namespace autoreload
