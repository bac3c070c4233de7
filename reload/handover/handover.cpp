// SPDX-License-Identifier: MIT
// handover: the steps in their order, and the way back from each.
#include "reload/handover/handover.hpp"

#include <algorithm>
#include <exception>
#include <utility>

#include "reload/handover/stayer.hpp"
#include "system/cancellation.hpp"
#include "system/host_signals.hpp"
#include "system/thread_files.hpp"

namespace autoreload {
namespace {

state_side side_of(const order& wanted, const generation& one, std::uint64_t number) {
  const int file = one.image.memory.still_ours() ? one.image.memory.get() : -1;
  return {wanted.path, number, file, one.base, one.module->handle()};
}

// What still points into the old generation, by the names of the first few.
std::string what_needs_old(const state_report& report) {
  std::string names;
  std::size_t count = 0;
  for (const state_remark& one : report.remarks) {
    if (one.fate != state_fate::dangling || ++count > 3) continue;
    names += (names.empty() ? "`" : ", `") + one.variable + "`" + (one.text.empty() ? "" : " (" + one.text + ")");
  }
  if (names.empty()) names = "something that was carried over";
  if (count > 3) names += " and " + std::to_string(count - 3) + " more";
  return names + " still points into it: it stays loaded for good";
}

}  // namespace

handover::handover(const order& wanted, generation& from, candidate& next,
                   std::shared_ptr<const handover_function> by_hand)
    : wanted_(wanted), from_(from), next_(next), to_(next.made.front()), by_hand_(std::move(by_hand)) {}

bool handover::is_needed() const {
  return wanted_.chosen.state != nullptr || by_hand_ != nullptr ||
         (from_.guest.save != nullptr && to_.guest.restore != nullptr);
}

setback handover::refuse(std::string reason, std::string words) const {
  error why(stage::handover, wanted_.path, std::move(reason));
  if (!words.empty()) why.system(std::move(words));
  why.advise(
      "the old generation goes on with its state untouched; build the library anew, or let it start anew by "
      "reload(autoreload::start::fresh)");
  return {setback_kind::refused_content, std::move(why)};
}

std::optional<setback> handover::prepare() {
  if (wanted_.chosen.state == nullptr || next_.plan_from == from_.number) return {};
  complete(from_.image);
  try {
    auto planned =
        wanted_.chosen.state->prepare(side_of(wanted_, from_, from_.number), side_of(wanted_, to_, to_.number));
    if (!planned) return setback{setback_kind::refused_content, std::move(planned.error().rename(wanted_.path))};
    next_.plan = *std::move(planned);
    next_.plan_from = from_.number;
    return {};
  } catch (const std::bad_alloc&) {
    throw;
  } catch (...) {
    return refuse("what carries its state threw an exception", words_of_current_exception());
  }
}

std::optional<setback> handover::migrate(const std::function<bool()>& still_wanted) {
  std::optional<setback> no = take_steps(still_wanted);
  if (no && no->why && !lost_.empty())
    no->why->system(no->why->system() + (no->why->system().empty() ? "" : "; ") + lost_);
  return no;
}

std::optional<setback> handover::take_steps(const std::function<bool()>& still_wanted) {
  // What the new one can't restore need not be saved.
  const bool saves = from_.guest.save != nullptr && to_.guest.restore != nullptr;
  struct saved_thing {
    handover& here;
    void* thing = nullptr;
    bool is_ours = false;
    ~saved_thing() {
      if (is_ours) here.give_back(thing);
    }
  } saved{*this};
  struct carried_thing {
    std::unique_ptr<state_plan>& plan;
    bool stays = false;
    ~carried_thing() {
      if (plan != nullptr && !stays) plan->undo();
      plan = nullptr;
    }
  } carried{carried_};
  const hosts_signals while_guests_run;
  if (saves) {
    if (auto thrown = thrown_by([&] { saved.thing = from_.guest.save(); })) {
      return refuse(wanted_.chosen.handover.functions.save + " threw an exception", *std::move(thrown));
    }
    saved.is_ours = true;
  }
  if (auto no = carry()) return no;
  if (auto no = call_by_hand()) return no;
  if (!still_wanted()) return setback{setback_kind::withdrawn};
  if (saves) {
    if (auto no = restore(saved.thing)) return no;
    saved.is_ours = false;
  }
  // Nothing fails from here on.
  carried.stays = true;
  from_.farewell.swap(farewell_);
  if (next_.state != nullptr && next_.state->needs_old) from_.needed_by.swap(next_.needs_old);
  return {};
}

std::optional<setback> handover::carry() {
  if (next_.plan == nullptr) return {};
  std::unique_ptr<state_plan> plan = std::exchange(next_.plan, nullptr);
  next_.plan_from = 0;
  try {
    result<state_report> carried = plan->carry();
    if (!carried) return setback{setback_kind::refused_content, std::move(carried.error().rename(wanted_.path))};
    carried_ = std::move(plan);
    farewell_ = carried_->farewell();
    next_.state = std::make_shared<const state_report>(*std::move(carried));
    if (next_.state->needs_old) next_.needs_old = what_needs_old(*next_.state);
    return {};
  } catch (const cancellation&) {
    throw;
  } catch (...) {
    return refuse("what carries its state threw an exception", words_of_current_exception());
  }
}

std::optional<setback> handover::call_by_hand() {
  if (by_hand_ == nullptr) return {};
  auto thrown = thrown_by([&] { (*by_hand_)(from_.module->table(), to_.module->table()); });
  if (!thrown) return {};
  return refuse("on_handover threw an exception", *std::move(thrown));
}

std::optional<setback> handover::restore(void* saved) {
  const std::string& name = wanted_.chosen.handover.functions.restore;
  int answer = 0;
  if (auto thrown = thrown_by([&] { answer = to_.guest.restore(saved); })) {
    return refuse(name + " threw an exception", *std::move(thrown));
  }
  if (answer == 0) return {};
  return refuse(name + " of the new build returned " + std::to_string(answer) + ": it takes no state of generation " +
                    std::to_string(from_.number),
                {});
}

void handover::give_back(void* saved) noexcept {
  if (from_.guest.restore == nullptr) return;
  const std::string does = "when the handover failed, generation " + std::to_string(from_.number);
  try {
    const int answer = from_.guest.restore(saved);
    if (answer != 0) lost_ = does + " did not take back what it had saved: it returned " + std::to_string(answer);
  } catch (...) {
    lost_ = does + " did not take back what it had saved: it threw an exception";
  }
}

setback setback_of(const disturbance& no, const order& wanted, const generation& from) {
  const std::string generation = "generation " + std::to_string(from.number);
  std::string reason;
  std::string advice = "it is tried again later; a pin that is held across calls holds it up, too";
  switch (no.why) {
    case disturbance::kind::inside:
      reason = "calls did not end within " + std::to_string(wanted.chosen.handover.limit.count()) +
               " ms: " + words_of_thread(no.thread) + " is still inside " + generation +
               function_inside(no.thread, from);
      break;
    case disturbance::kind::self:
      reason = words_of_thread(no.thread) + ", which reloads, holds a call or pin of " + generation + " itself";
      advice = "it is tried again later; reload from outside of the library's functions, and without a pin";
      break;
    case disturbance::kind::elsewhere:
      reason = "another library of this program was handing over all the time";
      advice = "it is tried again later";
      break;
    case disturbance::kind::nested:
      reason = "the reload was asked for inside another library's handover";
      advice = "it is tried again later; don't reload in on_handover";
      break;
    case disturbance::kind::no_barrier:
      reason = "membarrier(2) is refused by now, and not all threads that call were seen asleep or switched out";
      advice = "it is tried again later; let the sandbox allow membarrier";
      break;
  }
  return {setback_kind::held_up, error(stage::handover, wanted.path, std::move(reason)).advise(std::move(advice))};
}

}  // namespace autoreload
