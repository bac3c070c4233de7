// SPDX-License-Identifier: MIT
// outbox: the events that are to be told, and who tells them.
//
// SHARED  all members, guarded by the mutex, which is never held while an observer runs. Any thread posts; one at a
//         time delivers, which keeps the order; who comes meanwhile leaves its events to that one.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>

#include <autoreload/event.hpp>

#include "system/cancellation.hpp"
#include "system/loader_state.hpp"

namespace autoreload {

class outbox {
 public:
  explicit outbox(const std::function<void(const event&)>& observer) : observer_(observer) {}

  void post(event happened) {
    if (!observer_) return;
    const std::lock_guard lock(mutex_);
    if (!closed_) queue_.push_back(std::move(happened));
  }

  /// Tells all events that are there. What an observer throws first is thrown on when all is delivered.
  void deliver() {
    std::unique_lock lock(mutex_);
    if (deliverer_ != std::thread::id()) return;
    deliverer_ = std::this_thread::get_id();
    struct done {  // also when an observer throws
      outbox& box;
      std::unique_lock<std::mutex>& lock;
      ~done() {
        if (!lock) lock.lock();
        box.deliverer_ = std::thread::id();
        box.delivered_.notify_all();
      }
    } const at_the_end{*this, lock};
    std::exception_ptr thrown;
    while (!queue_.empty()) {
      const event next = std::move(queue_.front());
      queue_.pop_front();
      lock.unlock();
      try {
        observer_(next);
      } catch (const cancellation&) {
        throw;
      } catch (...) {
        if (thrown == nullptr) thrown = std::current_exception();
      }
      lock.lock();
    }
    if (thrown != nullptr) std::rethrow_exception(thrown);
  }

  /// Drops what is there and waits for an observer that runs on another thread. Inside the loader not for long: the
  /// observer may need it, too.
  void close() {
    std::unique_lock lock(mutex_);
    closed_ = true;
    queue_.clear();
    const auto alone = [&] { return deliverer_ == std::thread::id() || deliverer_ == std::this_thread::get_id(); };
    if (alone()) return;
    if (!inside_the_loader()) return delivered_.wait(lock, alone);
    delivered_.wait_for(lock, std::chrono::milliseconds(100), alone);
  }

 private:
  const std::function<void(const event&)>& observer_;
  std::mutex mutex_;
  std::condition_variable delivered_;
  std::deque<event> queue_;
  std::thread::id deliverer_{};
  bool closed_ = false;
};

}  // namespace autoreload
