// SPDX-License-Identifier: MIT
// probation: whether the running generation has proved itself, and how long it still has to.
//
// SHARED  `calls_to_go_` alone: every thread whose guarded call came back counts it down. It stands alone, and the one
//         call that makes it 0 asks for a look under the engine's lock, so relaxed order does for the first glance and
//         the default order for the rest. Everything else is guarded by the engine's lock.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>

#include <autoreload/history.hpp>

#include "reload/history/history.hpp"

namespace autoreload {

class probation {
 public:
  explicit probation(const probation_policy& policy) : policy_(policy) {}

  /// The generation on probation, 0 if there is none.
  [[nodiscard]] std::uint64_t number() const noexcept { return number_; }
  /// When its time is over.
  [[nodiscard]] time_point until() const noexcept { return until_; }

  /// A new generation has to prove itself. @param before  it is good, unless it was on probation itself; 0: there is
  /// none
  void begin(history& past, std::uint64_t before, std::uint64_t number, time_point now) noexcept {
    if (before == 0) return;
    if (number_ == 0) past.protect(before);
    number_ = number;
    until_ = policy_.time.count() != 0 ? now + policy_.time : never;
    calls_to_go_ = policy_.calls;
  }
  void end(history& past) noexcept {
    past.protect(0);
    number_ = 0;
    until_ = never;
    calls_to_go_ = 0;
  }
  /// Why it is over, if it is.
  [[nodiscard]] std::optional<std::string> passed(time_point now) const {
    if (number_ == 0) return {};
    if (policy_.calls != 0 && calls_to_go_ == 0) {
      return std::to_string(policy_.calls) + " guarded calls came back from it";
    }
    if (until_ <= now) return "it ran for " + std::to_string(policy_.time.count()) + " ms";
    return {};
  }
  /// Whether calls are counted. Any thread.
  [[nodiscard]] bool counts() const noexcept { return calls_to_go_.load(std::memory_order_relaxed) != 0; }
  /// A guarded call came back. Any thread. @return whether it was the last that was to be seen
  [[nodiscard]] bool count_down() noexcept {
    std::uint64_t left = calls_to_go_;
    while (left != 0 && !calls_to_go_.compare_exchange_weak(left, left - 1)) continue;
    return left == 1;
  }

 private:
  const probation_policy policy_;
  std::uint64_t number_ = 0;
  time_point until_ = never;
  std::atomic<std::uint64_t> calls_to_go_{0};
};

}  // namespace autoreload
