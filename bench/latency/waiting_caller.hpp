// SPDX-License-Identifier: MIT
// waiting_caller: a thread that never stops calling while it is asked to, and knows how long the call took by which it
// came from the old build to the new one: that call waited, if any did. A longer one was only taken off its processor.
//
// SHARED  state_: what the thread is to do, written by the owner; and that it does it, written by the thread. Acquire
//         and release: what the owner reads of `crossing_` after the thread has paused is complete.
//         crossing_: written by the thread alone while it calls; the owner reads and resets it while it pauses.
#pragma once

#include <atomic>
#include <thread>

#include "series.hpp"

namespace bench {

class waiting_caller {
 public:
  /// @param call  one call of the library: returns the number of the build; lives as long as this
  template <class Call>
  explicit waiting_caller(Call call) : thread_([this, call] { run(call); }) {}
  waiting_caller(const waiting_caller&) = delete;
  waiting_caller& operator=(const waiting_caller&) = delete;
  ~waiting_caller() {
    set(state::ended);
    thread_.join();
  }

  /// Comes back when the thread has begun to call.
  void begin() {
    set(state::asked_to_call);
    state_.wait(state::asked_to_call, std::memory_order_acquire);
  }
  /// Lets it pause when it has come to the new build. @return how long the first call took that another build answered
  /// than the call before
  [[nodiscard]] steady::duration end() {
    set(state::asked_to_pause);
    state_.wait(state::asked_to_pause, std::memory_order_acquire);
    return crossing_;
  }

 private:
  enum class state { paused, asked_to_call, calling, asked_to_pause, ended };

  void set(state next) {
    state_.store(next, std::memory_order_release);
    state_.notify_all();
  }

  template <class Call>
  void run(const Call& call) {
    for (;;) {
      state_.wait(state::paused, std::memory_order_acquire);
      if (state_.load(std::memory_order_acquire) == state::ended) return;
      int known = call();  // the first of a thread is longer: it gets its place among the callers
      crossing_ = {};
      set(state::calling);
      auto before = steady::now();
      bool crossed = false;
      while (!crossed || state_.load(std::memory_order_acquire) == state::calling) {
        if (state_.load(std::memory_order_acquire) == state::ended) return;
        const int build = call();
        const auto after = steady::now();
        if (build != known) crossing_ = after - before;
        crossed |= build != known;
        known = build;
        before = after;
      }
      if (state_.load(std::memory_order_acquire) == state::ended) return;
      set(state::paused);
    }
  }

  std::atomic<state> state_{state::paused};
  steady::duration crossing_{};
  std::thread thread_;  // the last: it uses the others
};

}  // namespace bench
