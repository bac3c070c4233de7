// SPDX-License-Identifier: MIT
// driving: one step of an engine's work, by the service's thread or by poll(): looking, frames, and what nobody waits
// for.
#include <algorithm>
#include <new>
#include <utility>

#include "reload/at_work.hpp"
#include "reload/engine_core.hpp"

namespace autoreload::detail {

bool engine_core::is_due(time_point now) {
  const bool changed = source_->take(now, memory_);
  const bool asked = schedule_.take();
  return changed || asked || memory_.look_at <= now;
}

// News first; what nobody waits for is left to the next step, so that the reload's caller can go on. But it is not left
// for long: a file that changes all the time must not make the old generations pile up, nor keep the caller here.
void engine_core::step(spare_time& time, const void* stack) {
  const bool first_frame = stack != nullptr && wanted_.chosen.frames && frames_.is_empty();
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
  end_probation_if_due();
  const bool due = !answers_.paused() && is_due(clock::now());
  // A build that was put off comes first: else the work around it would take each call's only piece.
  const bool goes_on = on_trial_ != nullptr && on_trial_->put_off;
  if (!due || (untidy_.any() && !goes_on)) maintain(time);
  if (due) look(time);
}

// Also when there's no memory for what is done between.
engine_core::frame_boundary::frame_boundary(engine_core& core, const void* stack)
    : core_(core), stack_(core.wanted_.chosen.frames && core.service_ == nullptr ? stack : nullptr) {
  if (stack_ != nullptr) core_.end_frame(stack_);
}

engine_core::frame_boundary::~frame_boundary() {
  if (stack_ == nullptr || core_.answers_.closed()) return;
  try {
    core_.answers_.with_published([&](published& at) { core_.frames_.begin(at, core_.history_.running(), stack_); });
  } catch (const std::bad_alloc&) {  // then calls through frame() throw until the next poll()
  }
}

void engine_core::end_frame(const void* stack) {
  answers_.with_published([&](published& at) {
    if (frames_.end(at, wanted_.api.not_loaded, stack)) return;
    if (std::exchange(told_of_frame_, true)) return;
    tell({event_kind::warning,
          number(),
          {},
          "poll() was called from inside a call, or by another thread than before: the generation that it calls stays "
          "until a later poll()",
          std::nullopt,
          {}});
  });
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

time_point engine_core::deadline() const noexcept { return schedule_.deadline(); }

// Called as the last thing under work_.
void engine_core::set_deadline() {
  time_point next = untidy_.any() ? time_point{} : std::min(history_.due(), probation_.until());
  if (source_ != nullptr && !answers_.paused()) {
    next = std::min({next, memory_.look_at, source_->due()});
    if (schedule_.is_asked() || source_->pending()) next = time_point{};
  }
  schedule_.set_deadline(next);
  alarm_.set(next);
}

void engine_core::poll(std::chrono::nanoseconds budget, const void* stack) {
  if (forked()) return;
  if (service_ == nullptr) {
    const bool lost = alarm_.renew_if_closed();  // first, while its number may be free
    if (source_->renew_if_closed(lost) || lost) (void)alarm_.add(source_->readable());
    source_->drain();
    alarm_.hush();
    spare_time time(budget);
    const std::uint64_t before = number();
    step(time, stack);
    // In a frame, what nobody waits for comes with a later call, once the new generation was called.
    const bool all = budget == std::chrono::nanoseconds::max();
    if (all || number() == before) step(time, stack);
  }
  outbox_.deliver();
}

}  // namespace autoreload::detail
