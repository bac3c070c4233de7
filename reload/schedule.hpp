// SPDX-License-Identifier: MIT
// schedule: when an engine has something to do.
//
// SHARED  two values that stand alone. `asked_` is set by any thread that wants a look, and taken by the one that is at
//         work; the deadline is stored under the engine's lock and read by any thread. The default order is for
//         simplicity: neither is in a call's way.
#pragma once

#include <atomic>

#include "reload/memory.hpp"

namespace autoreload {

class schedule {
 public:
  /// Wants a look at the file.
  void ask() noexcept { asked_ = true; }
  [[nodiscard]] bool is_asked() const noexcept { return asked_; }
  /// Whether a look was asked for; from now on it isn't.
  [[nodiscard]] bool take() noexcept { return asked_.exchange(false); }

  void set_deadline(time_point then) noexcept { deadline_ = then.time_since_epoch().count(); }
  [[nodiscard]] time_point deadline() const noexcept { return time_point(time_point::duration(deadline_.load())); }

 private:
  std::atomic<bool> asked_{false};
  std::atomic<time_point::rep> deadline_{never.time_since_epoch().count()};
};

}  // namespace autoreload
