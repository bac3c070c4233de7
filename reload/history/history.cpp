// SPDX-License-Identifier: MIT
// history: transitions are splices of lists, which can't fail.
#include "reload/history/history.hpp"

#include <algorithm>
#include <utility>

#include "system/host_signals.hpp"

namespace autoreload {

void history::publish(generations& next, cause why, std::string went) noexcept {
  generation& made = next.front();
  made.why = why;
  made.since = std::chrono::system_clock::now();
  made.went.clear();
  last_ = std::max(last_, made.number);
  running_.swap(next);
  if (next.empty()) return;
  next.front().went = std::move(went);
  leave(next);
}

void history::protect(std::uint64_t number) noexcept {
  protected_ = number;
  retire_surplus();
}

void history::close() noexcept {
  retiring_.add(quarantined_, true);
  if (generation* const now = running(); now != nullptr) retiring_.add(running_, keep_all_ || now->quarantined);
  retiring_.add(kept_, keep_all_);
  retiring_.abandon();
  stored_.clear();
}

void history::leave(generations& old) noexcept {
  old.front().retired = std::chrono::steady_clock::now();
  generations& to = old.front().quarantined ? quarantined_ : kept_;
  to.splice(to.end(), old);
  retire_surplus();
}

// The oldest go first. What is protected doesn't count.
void history::retire_surplus() noexcept {
  if (keep_all_) return;
  const auto is_guarded = [&](const generation& one) { return one.number == protected_; };
  const auto guarded = static_cast<std::size_t>(std::any_of(kept_.begin(), kept_.end(), is_guarded));
  for (auto next = kept_.begin(); next != kept_.end() && kept_.size() > policy_.loaded + guarded;) {
    const auto one = next++;
    if (is_guarded(*one)) continue;
    generations old;
    old.splice(old.end(), kept_, one);
    retiring_.add(old, false);
    sweep_pause_ = std::chrono::milliseconds(0);
    sweep_at_ = waiting_since_ = std::chrono::steady_clock::now();
  }
}

// Their code has left; what could be loaded again stays, as far as the policy goes.
void history::store(generations& unloaded) {
  for (generation& one : unloaded) {
    const hosts_signals while_destructors_run;
    one.module.reset();
    one.needs = {};
    if (policy_.generations > 0 && one.image.memory.still_ours() && one.image.origin) complete(one.image);
  }
  unloaded.remove_if([](const generation& one) { return !one.image.memory.still_ours(); });
  stored_.splice(stored_.end(), unloaded);
  const auto bytes = [&] {
    std::uint64_t sum = 0;
    for (const generation& one : stored_) sum += one.image.size;
    return sum;
  };
  while (!stored_.empty() && (stored_.size() + kept_.size() > policy_.generations || bytes() > policy_.bytes)) {
    stored_.pop_front();
  }
}

std::chrono::milliseconds history::pause_after(std::chrono::milliseconds last, std::chrono::milliseconds waited) {
  using std::chrono::milliseconds;
  const milliseconds grown = std::clamp(last * 2, milliseconds(1), milliseconds(250));
  return std::clamp(waited / 8, grown, milliseconds(std::chrono::seconds(30)));
}

std::vector<retirement> history::sweep(time_point now) {
  // First, so that a sweep for which there is no memory is not tried again at once.
  sweep_pause_ = pause_after(sweep_pause_, std::chrono::duration_cast<std::chrono::milliseconds>(now - waiting_since_));
  sweep_at_ = now + sweep_pause_;
  std::vector<retirement> done = retiring_.sweep(stuck_after_);
  generations unloaded = retiring_.unloaded();
  store(unloaded);
  if (!retiring_.pending()) sweep_at_ = waiting_since_ = never;
  return done;
}

}  // namespace autoreload
