// SPDX-License-Identifier: MIT
// quiet_moment: closes, scans the pins until none is left, and opens again.
//
// SHARED  whose turn it is, in the registry of all copies of us: 0, or the process and the thread that has it. Taken by
//         compare-exchange (acquire), given back by a store (release). A forked child finds its parent's there, and
//         takes it: that thread doesn't exist in the child.
#include "reload/handover/quiet_moment.hpp"

#include <unistd.h>

#include <algorithm>
#include <thread>

#include "reload/publish.hpp"
#include "reload/retire/pin_registry.hpp"
#include "reload/retire/shared_registry.hpp"

namespace autoreload {
namespace {

using clock = std::chrono::steady_clock;

std::uint64_t this_thread_and_process() noexcept {
  return std::uint64_t{static_cast<std::uint32_t>(getpid())} << 32 | static_cast<std::uint32_t>(gettid());
}

// Calls are short: the first looks follow each other at once. A long one is not worth a processor.
class growing_rest {
 public:
  void rest() {
    const auto waited = clock::now() - began_;
    if (waited < std::chrono::microseconds(200)) {
      std::this_thread::yield();
    } else {
      std::this_thread::sleep_for(std::min<clock::duration>(waited / 8, std::chrono::milliseconds(1)));
    }
  }

 private:
  const clock::time_point began_ = clock::now();
};

}  // namespace

quiet_moment::~quiet_moment() {
  if (own_ != nullptr) detail::unpin(*own_);
  if (closed_) {
    known_.at_gate([&](detail::published& here) {
      // A publication has opened it by now, or an owner that left.
      if (detail::is_closed(here)) publish(here, outgoing_);
    });
  }
  if (has_turn_) known_registry()->handing_over.store(0, std::memory_order_release);
}

std::optional<disturbance> quiet_moment::begin(std::chrono::milliseconds limit) {
  const auto until = clock::now() + limit;
  const std::uint64_t self = this_thread_and_process();
  if (shared_registry().handing_over.load(std::memory_order_relaxed) == self) {
    return disturbance{disturbance::kind::nested};
  }
  if (!take_turn(until)) return disturbance{disturbance::kind::elsewhere};
  attach_thread();  // now, as it may want memory
  closed_ = true;
  known_.at_gate([&](detail::published& here) { detail::close_gate(here, outgoing_); });
  return wait(until);
}

bool quiet_moment::take_turn(clock::time_point until) {
  std::atomic<std::uint64_t>& turn = shared_registry().handing_over;
  const std::uint64_t self = this_thread_and_process();
  for (growing_rest pause;; pause.rest()) {
    std::uint64_t holder = turn.load(std::memory_order_relaxed);
    const bool free = holder == 0 || holder >> 32 != self >> 32;
    has_turn_ = free && turn.compare_exchange_strong(holder, self, std::memory_order_acquire);
    if (has_turn_ || clock::now() > until) return has_turn_;
  }
}

std::optional<disturbance> quiet_moment::wait(clock::time_point until) {
  for (growing_rest pause;; pause.rest()) {
    // Without a barrier before it this look may miss a call that has just begun. It only says when the one below is
    // worth its barrier.
    std::optional<held_pin> inside = pin_of(outgoing_);
    if (!inside) {
      known_.at_gate([](detail::published& here) { detail::say_quiet(here); });
      if (!grace_barrier().passed) return disturbance{disturbance::kind::no_barrier};
      inside = pin_of(outgoing_);
      if (!inside) break;
      known_.at_gate([](detail::published& here) { detail::say_not_quiet(here); });
    }
    if (inside->thread == gettid()) return disturbance{disturbance::kind::self, inside->thread};
    if (clock::now() > until) return disturbance{disturbance::kind::inside, inside->thread};
  }
  // Should the engine be destroyed by what the handover calls, nobody unloads this generation under it.
  known_.at_gate([&](detail::published& here) { own_ = detail::pin(here).slot; });
  return {};
}

}  // namespace autoreload
