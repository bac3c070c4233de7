// SPDX-License-Identifier: MIT
// work_lock: one thread at a time works on an engine.
//
// SHARED  the mutex is held while a pipeline runs. A thread that holds it and comes back (a constructor of the library
//         calls the host, which calls reload()) is turned away instead of deadlocking: `worker` tells. `waiting` counts
//         who waits for it: the service, which takes it again and again while builds come in, stays away meanwhile; a
//         mutex alone would let it starve them. Both stand alone; the default order is for simplicity.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <thread>

#include "system/loader_state.hpp"

namespace autoreload {

struct work_mutex {
  std::mutex mutex;
  std::atomic<int> waiting{0};
  std::atomic<std::thread::id> worker{};
};

/// Holds a work_mutex, unless this very thread holds it already: then the caller is inside the pipeline and must turn
/// back.
class work_lock {
 public:
  enum class how : std::uint8_t { wait, wait_briefly, try_once };

  work_lock(work_mutex& work, how acquire) : work_(work) {
    if (work_.worker.load() == std::this_thread::get_id()) {
      inside_ = true;
      return;
    }
    if (acquire == how::try_once) {
      if (work_.waiting == 0) lock_ = std::unique_lock(work_.mutex, std::try_to_lock);
    } else {
      ++work_.waiting;
      lock_ = std::unique_lock(work_.mutex, std::try_to_lock);
      // Inside the loader this thread may hold its lock, for which the one at work waits.
      const bool for_ever = acquire == how::wait && (lock_ || !inside_the_loader());
      if (!lock_ && for_ever) lock_.lock();
      if (!lock_) lock_ = briefly();
      --work_.waiting;
    }
    if (!lock_) return;
    work_.worker = std::this_thread::get_id();
    ++held_here;
  }
  work_lock(const work_lock&) = delete;
  work_lock& operator=(const work_lock&) = delete;
  ~work_lock() {
    if (!lock_) return;
    --held_here;
    work_.worker = std::thread::id();
  }

  [[nodiscard]] bool held() const noexcept { return lock_.owns_lock(); }
  [[nodiscard]] bool inside() const noexcept { return inside_; }
  /// Whether this thread holds that of any engine: a library's constructor calls a host that reloads another library.
  [[nodiscard]] static bool nested() noexcept { return held_here > 0; }

 private:
  // Long enough for who only tidies up.
  [[nodiscard]] std::unique_lock<std::mutex> briefly() {
    std::unique_lock lock(work_.mutex, std::try_to_lock);
    for (int tries = 100; tries > 0 && !lock; --tries) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      (void)lock.try_lock();
    }
    return lock;
  }

  static inline thread_local int held_here = 0;
  work_mutex& work_;
  std::unique_lock<std::mutex> lock_;
  bool inside_ = false;
};

}  // namespace autoreload
