// SPDX-License-Identifier: MIT
// storm: a thread that does something over and over while others are measured: replacing a library, or nothing at all.
//
// SHARED  the flag that ends it, and a count: single values that stand alone.
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>

#include "idiom.hpp"

namespace bench {

class storm {
 public:
  template <class Work>
  explicit storm(Work work)
      : thread_([this, work] {
          while (!stop_.load(std::memory_order_relaxed)) {
            work();
            count_.fetch_add(1, std::memory_order_relaxed);
          }
        }) {}
  storm(const storm&) = delete;
  storm& operator=(const storm&) = delete;
  ~storm() {
    stop_ = true;
    thread_.join();
  }

  /// How often the work was done.
  [[nodiscard]] std::uint64_t count() const noexcept { return count_.load(std::memory_order_relaxed); }

 private:
  std::atomic<bool> stop_{false};
  std::atomic<std::uint64_t> count_{0};
  std::thread thread_;
};

}  // namespace bench
