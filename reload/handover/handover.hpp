// SPDX-License-Identifier: MIT
// handover: what one generation gives to the next, in the quiet moment between them.
//
//   prepare ──▶ [the gate closes, nobody is inside] ──▶ save ──▶ carry ──▶ by hand ──▶ restore ──▶ [published] ──▶
//   loaded
//      │                       │                                   │          │           │
//      └───────────────────────┴──────────── no: the old generation goes on, and has back what it saved
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <autoreload/state.hpp>

#include "reload/handover/quiet_moment.hpp"
#include "reload/pipeline.hpp"

namespace autoreload {

/// What a host does by hand, with both tables.
using handover_function = std::function<void(const void* from, const void* to)>;

/// What a host wants to do by hand, if it does. Any thread may set it; `mutex_` guards the pointer.
class by_hand {
 public:
  void set(handover_function run) {
    std::shared_ptr<const handover_function> next;
    if (run) next = std::make_shared<const handover_function>(std::move(run));
    const std::lock_guard lock(mutex_);
    run_.swap(next);
  }
  [[nodiscard]] std::shared_ptr<const handover_function> get() const {
    const std::lock_guard lock(mutex_);
    return run_;
  }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const handover_function> run_;
};

/// One handover. Both generations are loaded and outlive it.
class handover {
 public:
  /// @param by_hand  null: nothing
  handover(const order& wanted, generation& from, candidate& next, std::shared_ptr<const handover_function> by_hand);

  /// Whether anybody has something to hand over. If not, no caller shall wait.
  [[nodiscard]] bool is_needed() const;
  /// What can be worked out while calls go on in the old generation. Once for a candidate.
  [[nodiscard]] std::optional<setback> prepare();
  /// Hands over. To be called in the quiet moment. The old generation is as it was when this fails.
  /// @param still_wanted  asked before the last step, which can't be taken back once it was done
  [[nodiscard]] std::optional<setback> migrate(const std::function<bool()>& still_wanted);

 private:
  [[nodiscard]] std::optional<setback> take_steps(const std::function<bool()>& still_wanted);
  [[nodiscard]] std::optional<setback> carry();
  [[nodiscard]] std::optional<setback> call_by_hand();
  [[nodiscard]] std::optional<setback> restore(void* saved);
  void give_back(void* saved) noexcept;
  [[nodiscard]] setback refuse(std::string reason, std::string words) const;

  const order& wanted_;
  generation& from_;
  candidate& next_;
  generation& to_;
  const std::shared_ptr<const handover_function> by_hand_;
  std::unique_ptr<state_plan> carried_;  // what can be undone until the last step
  std::function<void()> farewell_;       // for the old one, once it is left
  std::string lost_;                     // the old one did not take back what it had saved: why
};

/// Why the quiet moment could not be had, in words. @param from  the generation that goes on
[[nodiscard]] setback setback_of(const disturbance& no, const order& wanted, const generation& from);

}  // namespace autoreload
