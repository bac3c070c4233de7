// SPDX-License-Identifier: MIT
// spare_time: how much of a poll() is left, so that a frame is not late because of a reload.
#pragma once

#include <algorithm>
#include <chrono>

namespace autoreload {

/// What a kind of work took, as a guess at what it will take: never less than it took last, and falling slowly.
class usual_duration {
 public:
  using duration = std::chrono::steady_clock::duration;
  [[nodiscard]] duration value() const noexcept { return value_; }
  void took(duration last) noexcept { value_ = std::max(last, value_ - value_ / 8); }

 private:
  duration value_{};
};

/// The time that one call may take for pieces of work. One thread at a time.
class spare_time {
 public:
  using clock = std::chrono::steady_clock;

  /// Any amount.
  spare_time() = default;
  /// @param budget  from now on
  explicit spare_time(std::chrono::nanoseconds budget) noexcept
      : until_(budget < std::chrono::hours(24) ? clock::now() + budget : clock::time_point::max()) {}

  /// Does a piece of work if there is time for it as it usually is. The first piece is always done: so whatever the
  /// budget, call after call comes to an end of the work.
  /// @return whether it was done
  template <class Work>
  bool spend(usual_duration& usual, Work work) {
    const clock::time_point start = clock::now();
    if (began_ && start + usual.value() > until_) return false;
    began_ = true;
    work();
    usual.took(clock::now() - start);
    return true;
  }

 private:
  clock::time_point until_ = clock::time_point::max();
  bool began_ = false;
};

}  // namespace autoreload
