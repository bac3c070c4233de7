// SPDX-License-Identifier: MIT
// going_back: an older generation runs again, on request or because the new one is bad; and when a new one is good.
#include "reload/going_back/going_back.hpp"

#include <utility>

#include "crash/crash_table.hpp"
#include "recover/ending.hpp"
#include "reload/engine_core.hpp"

namespace autoreload::detail {

namespace {

std::string named(std::uint64_t number) { return "generation " + std::to_string(number); }

// Whatever came since: a crash in it has to be told from the host's own.
void stay_known(generation& one, const std::string& path) {
  one.crash_ticket = crash_table::renew(one.crash_ticket);
  if (one.crash_ticket != 0) return;
  one.crash_ticket = crash_table::add(one.number, path, one.base, one.facts.segments, one.image.memory.get());
}

}  // namespace

// Does what is asked for while nobody else works here.
result<void> going_back::change_now(const std::function<result<void>()>& act) {
  if (core_.forked()) return core_.is_fork();
  const engine_core::at_work here(core_, work_lock::nested() ? work_lock::how::wait_briefly : work_lock::how::wait);
  if (result<void> may = core_.may_change(here); !may) return may;
  return act();
}

// The same for the owner, who is told of it, and lets the watcher look at the file anew.
result<void> going_back::answer_request(const std::function<result<void>()>& act) {
  const std::shared_ptr<driver> drives = core_.driver_;
  if (result<void> done = change_now(act); !done) return done;
  core_.outbox_.deliver();
  core_.step();
  if (drives != nullptr) drives->wake();
  return {};
}

result<void> going_back::activate(std::uint64_t number) {
  return answer_request([&]() -> result<void> {
    const auto refuse = [&](const char* reason, const char* advice) {
      return error(stage::use, core_.wanted_.path, named(number) + reason).advise(advice);
    };
    if (core_.history_.is_quarantined(number)) return refuse(" is quarantined", "change the library and build it");
    if (const generation* const now = core_.history_.running(); now != nullptr && now->number == number) {
      return refuse(" is the one that runs", "history() lists the others");
    }
    if (core_.history_.loaded(number) == nullptr && core_.history_.stored(number) == nullptr) {
      return refuse(" is not kept", "history() lists what is; options::history says how much is kept");
    }
    return go_back(number, number < core_.number() ? "was sent away" : "gave way", start::carried);
  });
}

result<void> going_back::roll_back() {
  return answer_request([&] { return leave_for_last_good("was sent away"); });
}

result<void> going_back::reject(const std::string& reason) {
  return answer_request([&] { return leave_for_last_good("was rejected (" + reason + ")"); });
}

result<void> going_back::leave_for_last_good(const std::string& why) {
  const std::uint64_t number = core_.history_.last_good();
  if (number != 0) return go_back(number, why, start::carried);
  return error(stage::use, core_.wanted_.path, "there is no older generation to go back to")
      .advise("options::history says how many are kept");
}

// Under work_. Whatever fails here leaves the running one where it is.
//
// State that was carried on can't be what an older generation goes on with: it has been changed and moved since. So
// what shall have the newer one's state is loaded anew from its copy, also when it is still there.
result<void> going_back::go_back(std::uint64_t number, const std::string& why, start how) {
  const generation& newer = *core_.history_.running();
  const std::uint64_t left = newer.number;
  const bool carries = core_.wanted_.chosen.state != nullptr && how != start::fresh;
  generation* const there = core_.history_.loaded(number) == nullptr ? nullptr : core_.history_.find_loaded(number);
  const generation* const loaded = carries ? nullptr : there;
  std::string text = named(left) + " " + why + ": " + named(number) + " runs again";
  if (loaded == nullptr) text += ", as " + named(core_.history_.next());
  history::sent_away build{contents_of(newer), state_of(core_.memory_.needed),
                           error(stage::publish, core_.wanted_.path, text)};
  core_.on_trial_.reset();
  std::shared_ptr<const state_report> kept;
  if (loaded != nullptr) {
    const std::uint64_t contents = contents_of(*loaded);
    core_.answers_.make_room();
    stay_known(*there, core_.wanted_.path);
    if (!core_.answers_.publish(loaded->module->table(), number, true)) return {};
    core_.history_.republish(number, text);
    core_.history_.welcome(contents);
  } else {
    if (there != nullptr) complete(there->image);
    const generation& old = there != nullptr ? *there : *core_.history_.stored(number);
    std::optional<setback> no =
        load_again(old, {cause::republished, text}, carries ? start::carried : start::fresh, kept);
    if (no && no->why && carries) {  // a bad build must not keep itself in its place by its state
      core_.tell({event_kind::warning,
                  left,
                  {},
                  "its state can't be taken back: " + no->why->reason() + ": " + named(number) + " starts anew",
                  std::nullopt,
                  {}});
      no = load_again(old, {cause::republished, text}, start::fresh, kept);
    }
    if (no) return no->why ? *std::move(no->why) : error(stage::use, core_.wanted_.path, "the engine is closed");
    core_.history_.welcome(contents_of(*core_.history_.running()));
    if (there == nullptr) {
      core_.history_.drop(number);
    } else {
      core_.history_.mark_bad(number);  // the next step back is to the one before it
    }
  }
  if (number < left && !newer.quarantined) core_.history_.send_away(left, std::move(build));
  if (core_.probation_ != nullptr) core_.probation_->end(core_.history_);
  core_.offer_running();
  core_.memory_.needed_state = 0;
  core_.schedule_.ask();
  core_.untidy_ = {true, true};
  core_.tell({event_kind::activated, core_.history_.running()->number, {}, text, std::nullopt, {}, {}, kept});
  return {};
}

// What it needs is looked for anew; whether its callers fit, and whether it loads, was found out when it first came.
std::optional<setback> going_back::load_again(const generation& old, engine_core::change how, start from,
                                              std::shared_ptr<const state_report>& kept) {
  const std::function<void()> nobody_waits;
  spare_time any;
  const context here{.wanted = core_.wanted_,
                     .known = core_.memory_,
                     .past = core_.history_,
                     .forced = true,
                     .again = &old.image,
                     .patient = true,
                     .trial_ended = nobody_waits,
                     .self = core_.offered_.get(),
                     .reader = core_.reader_,
                     .time = any,
                     .usual = core_.usual_.stages};
  candidate next(engine_core::clock::now());
  if (std::optional<setback> unfit = run_stages(here, next)) return unfit;
  std::optional<setback> no = core_.hand_over(next, true, from, std::move(how));
  kept = no ? nullptr : next.state;
  return no;
}

// ---- staying

void going_back::hold() {
  (void)answer_request([&]() -> result<void> {
    core_.history_.hold(true);
    core_.tell(event_kind::held, "hold() was called");
    return {};
  });
}

void going_back::release() {
  (void)answer_request([&]() -> result<void> {
    core_.history_.hold(false);
    core_.memory_.refused.reset();  // what waited was remembered there
    core_.memory_.looked_at.reset();
    core_.schedule_.ask();
    core_.tell(event_kind::released, "release() was called");
    return {};
  });
}

// ---- probation

void going_back::end_probation_if_due() {
  if (const auto why = core_.probation_->passed(engine_core::clock::now())) end_probation(*why);
}

void going_back::end_probation(const std::string& why) {
  probation& over = *core_.probation_;
  core_.tell({event_kind::approved, over.number(), {}, why, std::nullopt, {}});
  over.end(core_.history_);
  core_.untidy_ = {true, true};
}

result<void> going_back::approve() {
  return answer_request([&]() -> result<void> {
    if (core_.probation_ == nullptr || core_.probation_->number() == 0) {
      return error(stage::use, core_.wanted_.path, "no generation is on probation")
          .advise("options::probation says when one is");
    }
    end_probation("approve() was called");
    return {};
  });
}

// ---- crashes

error going_back::ended(const landing& call, const void* table, bool& keep) {
  std::optional<error> why;
  keep = true;
  (void)change_now([&]() -> result<void> {
    const std::uint64_t number = core_.answers_.number_of(table);
    generation* const ill = core_.history_.find_loaded(number);
    if (ill != nullptr && ill->image.origin) complete(ill->image);  // for the source's line
    why = words_for(call, core_.wanted_.path);
    keep = ill == nullptr && !core_.history_.is_quarantined(number);
    if (ill == nullptr || ill->quarantined) return {};
    const bool runs = ill == core_.history_.running();
    const std::uint64_t contents = contents_of(*ill);
    const std::uint64_t needs = state_of(core_.memory_.needed);
    if (!core_.history_.quarantine(number, why->reason())) return {};
    core_.tell({event_kind::quarantined, number, {}, why->reason(), why, {}});
    core_.history_.send_away(number, {contents, needs, *why, true});
    if (runs) leave_the_running_one();
    return {};
  });
  // Its events are told by who tells them ever: the caller may hold what the observer waits for.
  if (!core_.forked()) core_.be_asked();
  return why ? *std::move(why) : words_for(call, core_.wanted_.path);
}

// To the last that is not known to be as bad. Without any the bad one goes on: better than no function to call.
void going_back::leave_the_running_one() {
  const std::uint64_t needs = state_of(core_.memory_.needed);
  for (;;) {
    const std::uint64_t number = core_.history_.last_good();
    if (number == 0) break;
    const generation* const loaded = core_.history_.loaded(number);
    const std::uint64_t contents = contents_of(loaded != nullptr ? *loaded : *core_.history_.stored(number));
    if (core_.history_.refuses(contents, needs, true) == nullptr && go_back(number, "is quarantined", start::fresh))
      return;
    core_.history_.mark_bad(number);
  }
  core_.tell(event_kind::warning, "there is no other generation to go back to: it runs on until another build comes");
}

}  // namespace autoreload::detail
