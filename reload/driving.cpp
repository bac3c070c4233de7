// SPDX-License-Identifier: MIT
// driving: one step of an engine's work, by a thread of ours or by poll(): looking, and what nobody waits for; and what
// the owner asks for.
#include <unistd.h>

#include <algorithm>
#include <new>
#include <string>
#include <utility>

#include "reload/engine_core.hpp"
#include "reload/frames/frame_boundary.hpp"
#include "reload/going_back/going_back.hpp"

namespace autoreload::detail {

bool engine_core::is_due(time_point now) {
  const bool changed = source_->take(now, memory_);
  const bool asked = schedule_.take();
  return changed || asked || memory_.look_at <= now;
}

// News first; what nobody waits for is left to the next step, so that the reload's caller can go on. But it is not left
// for long: a file that changes all the time must not make the old generations pile up, nor keep the caller here.
void engine_core::step(spare_time& time, const void* stack) {
  const bool first_frame = stack != nullptr && frames_ != nullptr && frames_->is_empty();
  if (source_ == nullptr ||
      (!first_frame && !schedule_.is_asked() && !answers_.left() && !source_->pending() && clock::now() < deadline())) {
    return;
  }
  if (forked()) return;
  {
    const at_work mine(*this, work_lock::how::try_once);
    if (!mine->held() || answers_.closed()) return;
    try {
      work(time, stack);
    } catch (const std::bad_alloc&) {
      try_again_later();
    }
  }
  if (answers_.left()) {
    const at_work mine(*this, work_lock::how::try_once);
    if (mine->held() && !answers_.closed()) let_go_of_all();
  }
  outbox_.deliver();
}

void engine_core::work(spare_time& time, const void* stack) {
  const frame_boundary here(*this, stack);
  if (probation_ != nullptr) going_back(*this).end_probation_if_due();
  const bool due = !answers_.paused() && is_due(clock::now());
  // A build that was put off comes first: else the work around it would take each call's only piece.
  const bool goes_on = on_trial_ != nullptr && on_trial_->put_off;
  if (!due || (untidy_.any() && !goes_on)) maintain(time);
  if (due) look(time);
}

// What nobody waits for, as far as there is time.
void engine_core::maintain(spare_time& time) {
  const auto watch = [&] {
    untidy_.watched = false;
    if (watch_what_matters()) schedule_.ask();
  };
  if (untidy_.watched && !time.spend(usual_.watching, watch)) return;
  generation* const running = history_.running();
  // A piece takes about 0.1 ms.
  constexpr std::uint64_t piece = 256 * 1024;
  const auto copy = [&] {
    reader_.tidy();
    if (running->image.origin) {
      (void)complete_some(running->image, piece);
    } else {
      untidy_.copied = !reader_.prepare(running->image, piece);
    }
  };
  if (running == nullptr) untidy_.copied = false;
  while (untidy_.copied) {
    if (!time.spend(usual_.copying, copy)) return;
  }
  if (history_.due() <= clock::now()) (void)time.spend(usual_.unloading, [&] { sweep(); });
}

void engine_core::sweep() {
  for (retirement& one : history_.sweep(clock::now())) {
    if (one.unloaded) answers_.forget(one.generation);
    const event_kind stays = one.stuck ? event_kind::stuck : event_kind::retained;
    const event_kind kind = one.unloaded ? event_kind::unloaded : stays;
    tell({kind, one.generation, {}, std::move(one.text), std::nullopt, {}});
  }
}

// Called as the last thing under work_.
void engine_core::set_deadline() {
  time_point next = history_.due();
  if (probation_ != nullptr) next = std::min(next, probation_->until());
  if (untidy_.any()) next = {};
  if (source_ != nullptr && !answers_.paused()) {
    next = std::min({next, memory_.look_at, source_->due()});
    if (schedule_.is_asked() || source_->pending()) next = time_point{};
  }
  schedule_.set_deadline(next);
  if (driver_ != nullptr) driver_->set(next);
}

void engine_core::poll(std::chrono::nanoseconds budget, const void* stack) {
  if (forked()) return;
  if (driver_ != nullptr && driver_->collect(*source_)) {
    spare_time time(budget);
    const std::uint64_t before = number();
    step(time, stack);
    // In a frame, what nobody waits for comes with a later call, once the new generation was called.
    const bool all = budget == std::chrono::nanoseconds::max();
    if (all || number() == before) step(time, stack);
  }
  outbox_.deliver();
}

// ---- what the owner asks for

result<void> engine_core::may_change(const at_work& here) const {
  const auto not_now = [&](const char* reason) {
    return error(stage::use, wanted_.path, reason).advise("ask for it from another thread, or later");
  };
  if (here->inside()) return not_now("reload() was called from inside this library's own loading or unloading");
  if (!here->held()) {
    return not_now(
        "reload() was called from inside a library's constructor or destructor, while another thread is reloading this "
        "one: each may be waiting for the other");
  }
  if (answers_.closed()) return error(stage::use, wanted_.path, "the engine is closed");
  return {};
}

bool engine_core::forked() const noexcept { return wanted_.process != getpid(); }

error engine_core::is_fork() const {
  return error(stage::use, wanted_.path, "this process was forked from the one that watches")
      .advise("construct a new reloadable in the child; calls through this one go on");
}

result<void> engine_core::reload(start from, const void* stack) {
  if (forked()) return is_fork();
  // It may have been turned away meanwhile; and an observer that throws leaves it what there is to do.
  struct wake_the_driver {
    const std::shared_ptr<driver> drives;
    ~wake_the_driver() {
      if (drives != nullptr) drives->wake();
    }
  } const at_the_end{driver_};
  std::optional<setback> no;
  {
    // Inside another library's constructor this thread holds the loader's lock, for which whoever holds ours may be
    // waiting: so not for ever.
    const at_work here(*this, work_lock::nested() ? work_lock::how::wait_briefly : work_lock::how::wait);
    if (result<void> may = may_change(here); !may) return may;
    const frame_boundary frame(*this, frames_ != nullptr && frames_->is_of_this_thread() ? stack : nullptr);
    spare_time any;
    no = examine_or_wait_for_memory(true, from, any);
  }
  outbox_.deliver();
  step();
  if (!no) return {};
  return no->why ? *std::move(no->why) : error(stage::use, wanted_.path, "the engine is closed");
}

std::vector<generation_record> engine_core::records() {
  if (forked()) return {};
  const at_work here(*this, work_lock::how::wait);
  if (!here->held() && !here->inside()) return {};
  return history_.records();
}

void engine_core::resume() {
  answers_.pause(false);
  if (forked()) return;
  schedule_.ask();
  {  // sets the deadline; who is at work sets it, too
    const at_work here(*this, work_lock::nested() ? work_lock::how::try_once : work_lock::how::wait);
  }
  if (driver_ != nullptr) driver_->wake();
}

}  // namespace autoreload::detail
