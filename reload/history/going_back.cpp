// SPDX-License-Identifier: MIT
// going_back: an older generation runs again, on request or because the new one is bad; and when a new one is good.
#include <string>
#include <utility>

#include "recover/ending.hpp"
#include "reload/at_work.hpp"
#include "reload/engine_core.hpp"
#include "reload/service.hpp"

namespace autoreload::detail {

namespace {

std::string named(std::uint64_t number) { return "generation " + std::to_string(number); }

}  // namespace

// Does what is asked for while nobody else works here.
result<void> engine_core::change_now(const std::function<result<void>()>& act) {
  if (forked()) {
    return error(stage::use, wanted_.path, "this process was forked from the one that watches")
        .advise("construct a new reloadable in the child; calls through this one go on");
  }
  const at_work here(*this, work_lock::nested() ? work_lock::how::wait_briefly : work_lock::how::wait);
  if (result<void> may = may_change(here); !may) return may;
  return act();
}

// The same for the owner, who is told of it, and lets the watcher look at the file anew.
result<void> engine_core::answer_request(const std::function<result<void>()>& act) {
  const std::shared_ptr<service> served = service_;
  if (result<void> done = change_now(act); !done) return done;
  outbox_.deliver();
  step();
  if (served != nullptr) served->wake();
  return {};
}

result<void> engine_core::activate(std::uint64_t number) {
  return answer_request([&]() -> result<void> {
    const auto refuse = [&](const char* reason, const char* advice) {
      return error(stage::use, wanted_.path, named(number) + reason).advise(advice);
    };
    if (history_.is_quarantined(number)) return refuse(" is quarantined", "change the library and build it");
    if (const generation* const now = history_.running(); now != nullptr && now->number == number) {
      return refuse(" is the one that runs", "history() lists the others");
    }
    if (history_.loaded(number) == nullptr && history_.stored(number) == nullptr) {
      return refuse(" is not kept", "history() lists what is; options::history says how much is kept");
    }
    return go_back(number, number < this->number() ? "was sent away" : "gave way", start::carried);
  });
}

result<void> engine_core::roll_back() {
  return answer_request([&]() -> result<void> {
    const std::uint64_t number = history_.last_good();
    if (number != 0) return go_back(number, "was sent away", start::carried);
    return error(stage::use, wanted_.path, "there is no older generation to go back to")
        .advise("options::history says how many are kept");
  });
}

result<void> engine_core::reject(const std::string& reason) {
  return answer_request([&]() -> result<void> {
    const std::uint64_t number = history_.last_good();
    if (number != 0) return go_back(number, "was rejected (" + reason + ")", start::carried);
    return error(stage::use, wanted_.path, "there is no older generation to go back to")
        .advise("options::history says how many are kept");
  });
}

// Under work_. Whatever fails here leaves the running one where it is.
//
// State that was carried on can't be what an older generation goes on with: it has been changed and moved since. So
// what shall have the newer one's state is loaded anew from its copy, also when it is still there.
result<void> engine_core::go_back(std::uint64_t number, const std::string& why, start how) {
  const generation& newer = *history_.running();
  const std::uint64_t left = newer.number;
  const bool carries = wanted_.chosen.state != nullptr && how != start::fresh;
  generation* const there = history_.loaded(number) == nullptr ? nullptr : history_.find_loaded(number);
  const generation* const loaded = carries ? nullptr : there;
  std::string text = named(left) + " " + why + ": " + named(number) + " runs again";
  if (loaded == nullptr) text += ", as " + named(history_.next());
  history::sent_away build{contents_of(newer), state_of(memory_.needed), error(stage::publish, wanted_.path, text)};
  on_trial_.reset();
  std::shared_ptr<const state_report> kept;
  if (loaded != nullptr) {
    const std::uint64_t contents = contents_of(*loaded);
    answers_.make_room();
    if (!answers_.publish(loaded->module->table(), number, true)) return {};
    history_.republish(number, text);
    history_.welcome(contents);
  } else {
    if (there != nullptr) complete(there->image);
    const generation& old = there != nullptr ? *there : *history_.stored(number);
    std::optional<setback> no =
        load_again(old, {cause::republished, text}, carries ? start::carried : start::fresh, kept);
    if (no && no->why && carries) {  // a bad build must not keep itself in its place by its state
      tell({event_kind::warning,
            left,
            {},
            "its state can't be taken back: " + no->why->reason() + ": " + named(number) + " starts anew",
            std::nullopt,
            {}});
      no = load_again(old, {cause::republished, text}, start::fresh, kept);
    }
    if (no) return no->why ? *std::move(no->why) : error(stage::use, wanted_.path, "the engine is closed");
    history_.welcome(contents_of(*history_.running()));
    if (there == nullptr) {
      history_.drop(number);
    } else {
      history_.mark_bad(number);  // the next step back is to the one before it
    }
  }
  if (number < left && !newer.quarantined) history_.send_away(left, std::move(build));
  probation_.end();
  history_.protect(0);
  offer_running();
  memory_.needed_state = 0;
  schedule_.ask();
  untidy_ = {true, true};
  tell({event_kind::activated, history_.running()->number, {}, text, std::nullopt, {}, {}, kept});
  return {};
}

// What it needs is looked for anew; whether its callers fit, and whether it loads, was found out when it first came.
std::optional<setback> engine_core::load_again(const generation& old, change how, start from,
                                               std::shared_ptr<const state_report>& kept) {
  const std::function<void()> nobody_waits;
  spare_time any;
  const context here{wanted_, memory_,      history_,       true,    false,     false, &old.image,   true,
                     -1,      nobody_waits, offered_.get(), reader_, patience_, any,   usual_.stages};
  candidate next(clock::now());
  if (std::optional<setback> unfit = run_stages(here, next)) return unfit;
  std::optional<setback> no = hand_over(next, true, from, std::move(how));
  kept = no ? nullptr : next.state;
  return no;
}

// ---- staying

void engine_core::hold() {
  (void)answer_request([&]() -> result<void> {
    history_.hold(true);
    tell({event_kind::held, number(), {}, "hold() was called", std::nullopt, {}});
    return {};
  });
}

void engine_core::release() {
  (void)answer_request([&]() -> result<void> {
    history_.hold(false);
    memory_.refused.reset();  // what waited was remembered there
    memory_.looked_at.reset();
    schedule_.ask();
    tell({event_kind::released, number(), {}, "release() was called", std::nullopt, {}});
    return {};
  });
}

// ---- probation

// The one before is good, unless it was on probation itself.
void engine_core::begin_probation(std::uint64_t before, std::uint64_t number) {
  if (!wanted_.chosen.probation.wanted() || before == 0) return;
  if (probation_.number() == 0) history_.protect(before);
  probation_.begin(number, clock::now());
}

void engine_core::came_back(const void* table) {
  if (probation_.counts() && answers_.confirms(table) && probation_.count_down()) be_asked();
}

void engine_core::end_probation_if_due() {
  if (const std::optional<std::string> why = probation_.passed(clock::now())) end_probation(*why);
}

void engine_core::end_probation(const std::string& why) {
  tell({event_kind::approved, probation_.number(), {}, why, std::nullopt, {}});
  probation_.end();
  history_.protect(0);
  untidy_ = {true, true};
}

result<void> engine_core::approve() {
  return answer_request([&]() -> result<void> {
    if (probation_.number() == 0) {
      return error(stage::use, wanted_.path, "no generation is on probation")
          .advise("options::probation says when one is");
    }
    end_probation("approve() was called");
    return {};
  });
}

// ---- crashes

error engine_core::ended(const landing& call, const void* table, bool& keep) {
  std::optional<error> why;
  keep = true;
  (void)change_now([&]() -> result<void> {
    const std::uint64_t number = answers_.number_of(table);
    generation* const ill = history_.find_loaded(number);
    if (ill != nullptr && ill->image.origin) complete(ill->image);  // for the source's line
    why = words_for(call, wanted_.path);
    keep = ill == nullptr && !history_.is_quarantined(number);
    if (ill == nullptr || ill->quarantined) return {};
    const bool runs = ill == history_.running();
    const std::uint64_t contents = contents_of(*ill);
    const std::uint64_t needs = state_of(memory_.needed);
    if (!history_.quarantine(number, why->reason())) return {};
    tell({event_kind::quarantined, number, {}, why->reason(), why, {}});
    history_.send_away(number, {contents, needs, *why, true});
    if (runs) leave_the_running_one();
    return {};
  });
  // Its events are told by who tells them ever: the caller may hold what the observer waits for.
  if (!forked()) be_asked();
  return why ? *std::move(why) : words_for(call, wanted_.path);
}

// To the last that is not known to be as bad. Without any the bad one goes on: better than no function to call.
void engine_core::leave_the_running_one() {
  const std::uint64_t needs = state_of(memory_.needed);
  for (;;) {
    const std::uint64_t number = history_.last_good();
    if (number == 0) break;
    const generation* const loaded = history_.loaded(number);
    const std::uint64_t contents = contents_of(loaded != nullptr ? *loaded : *history_.stored(number));
    if (history_.refuses(contents, needs, true) == nullptr && go_back(number, "is quarantined", start::fresh)) return;
    history_.mark_bad(number);
  }
  tell({event_kind::warning,
        number(),
        {},
        "there is no other generation to go back to: it runs on until another build comes",
        std::nullopt,
        {}});
}

}  // namespace autoreload::detail
