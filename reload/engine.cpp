// SPDX-License-Identifier: MIT
// engine: opens and closes one, takes what is at the path through the pipeline, and tells what happened.
#include <autoreload/engine.hpp>

#include <sys/eventfd.h>

#include <new>
#include <utility>

#include "crash/crash_table.hpp"
#include "reload/engine_core.hpp"
#include "reload/frames/frame_keeper.hpp"
#include "reload/retire/pin_registry.hpp"

namespace autoreload::detail {

namespace {

// What a look came to, for the memory.
attempt attempt_of(const candidate& next, const std::optional<setback>& no, std::uint64_t running) {
  attempt result{.no = no, .generation = running, .times = next.times, .warnings = next.warnings, .state = next.state};
  if (next.source.settled()) result.settled = next.source;
  if (no && (no->kind == setback_kind::refused_content || no->kind == setback_kind::held)) {
    result.build = digest_of(next);
  }
  if (next.needs.looked_for) result.needs = next.needs.paths;
  result.needs_state = next.needs.settled ? next.needs.state : 0;
  return result;
}

}  // namespace

engine_core::engine_core(loader api, std::string path, options chosen, published& current)
    : wanted_(make_order(api, std::move(path), std::move(chosen))),
      answers_(current),
      cancel_(wanted_.chosen.trial.enabled ? eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) : -1),
      frames_(wanted_.chosen.frames && wanted_.chosen.drive == drive_mode::manual ? std::make_unique<frame_keeper>()
                                                                                  : nullptr),
      probation_(wanted_.chosen.probation.wanted() ? std::make_unique<probation>(wanted_.chosen.probation) : nullptr) {}

engine_core::~engine_core() = default;

void engine_core::open() {
  prepare_pins();
  {
    const at_work here(*this, work_lock::how::wait);
    driver_ = make_driver(wanted_.chosen.drive);
    source_ = make_change_source({wanted_.file, wanted_.chosen.watch, wanted_.chosen.poll_interval,
                                  [this] { return driver_->hub(wanted_.path); },
                                  [this](const std::string& text) {
                                    tell({event_kind::warning, 0, {}, text, {}, {}});
                                  }});
    (void)source_->arm({});  // the first look follows
    offered_ = std::make_unique<running_library>(
        running_library::engine{wanted_.file, [this] { return answers_.paused(); }, [this] { be_asked(); }});
    spare_time any;
    look(any);
    memory_.opening = false;
  }
  outbox_.deliver();
  step();
  driver_->add(shared_from_this());
}

void engine_core::close(const void* stack) {
  const std::shared_ptr<driver> drives = driver_;
  if (drives != nullptr) drives->remove(this);
  // A trial that another thread waits for would hold this up for its whole time limit. A forked child has the same
  // eventfd and no business with its parent's trials.
  if (cancel_.still_ours() && !forked()) eventfd_write(cancel_.get(), 1);
  {
    const at_work here(*this, work_lock::how::wait);
    if (here->held() || here->inside()) {
      if (frames_ != nullptr) {
        answers_.with_published([&](published& at) { frames_->close(at, wanted_.api.not_loaded, stack); });
      }
      let_go_of_all();
    } else {
      // Inside a library's constructor or destructor, while another thread is at work here and waits for the loader:
      // that one does it.
      answers_.redirect(wanted_.api.not_loaded);
    }
  }
  outbox_.close();
}

void engine_core::let_go_of_all() {
  offered_.reset();
  answers_.unpublish(wanted_.api.not_loaded);
  if (source_ != nullptr) source_->stop();  // not reset(): a driver's thread may ask it whether it has something
  on_trial_.reset();
  history_.close();
  answers_.close();
  driver_.reset();
}

// ---- looking

// Looks at the file, and again while names on the way to it keep changing.
void engine_core::look(spare_time& time) {
  for (int round = 0; round < 8; ++round) {
    const std::optional<setback> no = examine_or_wait_for_memory(false, start::carried, time);
    if (!no || no->kind == setback_kind::put_off || !watch_what_matters()) return;
  }
  schedule_.ask();
}

// Takes what is at the path through the stages; what is on trial goes on, or gives way to a newer build.
// @return why it was not published
std::optional<setback> engine_core::examine(bool forced, start from, spare_time& time) {
  const std::function<void()> trial_ended = [this] { be_asked(); };
  untidy_ = {true, true};
  if (on_trial_ != nullptr && (forced || !on_trial_->is_at(wanted_.file))) on_trial_.reset();
  std::unique_ptr<candidate> next = std::move(on_trial_);
  const bool was_on_trial = next != nullptr;
  if (!was_on_trial) next = std::make_unique<candidate>(clock::now());
  const context here{
      .wanted = wanted_,
      .known = memory_,
      .past = history_,
      .forced = forced,
      .carries_state = wanted_.chosen.state != nullptr && from != start::fresh && history_.running() != nullptr,
      .patient = forced || memory_.opening,
      .cancel = cancel_.still_ours() ? cancel_.get() : -1,
      .trial_ended = trial_ended,
      .self = offered_.get(),
      .reader = reader_,
      .watched = source_.get(),
      .time = time,
      .usual = usual_.stages};
  std::optional<setback> no = run_stages(here, *next);
  const auto publish_it = [&] {
    no = hand_over(*next, forced, from, {forced ? cause::asked : cause::changed, "a newer build took its place"});
  };
  if (!no && !time.spend(usual_.handover, publish_it)) no = put_off(*next);
  if (answers_.closed()) return setback{setback_kind::withdrawn};  // what the handover called destroyed the engine
  const file_identity source = next->source;
  const attempt result = attempt_of(*next, no, number());
  if (no && no->kind == setback_kind::put_off) schedule_.ask();
  if (no && no->goes_on()) {
    on_trial_ = std::move(next);
  } else if (was_on_trial && (!no || no->kind == setback_kind::refused_content)) {
    schedule_.ask();  // a change meanwhile may not have shown in the file's times
  }
  remember(result);
  offered_->uses(memory_.needed);
  if (!no) offer_running();
  if (!no || no->is_decision()) {
    struct stat status {};
    const bool read = source.inode != 0 || stat(wanted_.file.c_str(), &status) != 0;
    offered_->decided(read ? source : file_identity::of(status));
  }
  return no;
}

void engine_core::offer_running() {
  const generation& now = *history_.running();
  offered_->runs({{}, now.facts.soname, now.alias, now.image.load_path, now.needs});
}

// Another thread asks for a look, a trial's or another engine's, and must not wait for this one's.
void engine_core::be_asked() {
  schedule_.ask();
  if (driver_ != nullptr) driver_->ring();
}

// For want of memory: first that it is tried again, then the words, which take memory themselves.
std::optional<setback> engine_core::examine_or_wait_for_memory(bool forced, start from, spare_time& time) {
  try {
    return examine(forced, from, time);
  } catch (const std::bad_alloc&) {
    try_again_later();
  }
  try {
    const setback no{
        setback_kind::shortage,
        error(stage::use, wanted_.path, "out of memory").advise("the running generation goes on; it is tried again")};
    remember({.no = no, .generation = number()});
    return no;
  } catch (const std::bad_alloc&) {
    return setback{setback_kind::withdrawn};
  }
}

void engine_core::try_again_later() noexcept {
  memory_.looked_at.reset();
  memory_.look_at = clock::now() + std::chrono::seconds(1);
}

// From the loaded candidate to the published generation. @return why it was not published
std::optional<setback> engine_core::hand_over(candidate& next, bool forced, start from, change how) {
  generation& made = next.made.front();
  generation* const old = history_.running();
  made.number = history_.next();
  made.base = next.base;
  made.guest = find_guest_functions(made.module->handle(), made.base, {next.bytes, made.facts.segments, 0},
                                    wanted_.chosen.handover.functions);
  answers_.make_room();
  struct known_to_crash_reports {
    generation& made;
    bool stays = false;
    ~known_to_crash_reports() {
      if (!stays) crash_table::remove(std::exchange(made.crash_ticket, 0));
    }
  } known{made};
  made.crash_ticket =
      crash_table::add(made.number, wanted_.path, made.base, made.facts.segments, made.image.memory.get());
  std::optional<handover> work;
  if (old != nullptr && from != start::fresh) work.emplace(wanted_, *old, next, by_hand_.get());
  std::optional<setback> no;
  if (work && work->is_needed()) {
    no = in_quiet(next, *work, forced, how);
  } else if (!put_in_place(next, forced, std::move(how))) {
    no = setback{setback_kind::withdrawn};  // resume() looks again
  }
  if (no || answers_.closed()) return no;
  known.stays = true;
  generation& running = *history_.running();
  const char* const name = wanted_.chosen.handover.functions.loaded.c_str();
  if (std::string thrown = call_guest(running.guest.loaded, name); !thrown.empty()) next.warnings.push_back(thrown);
  return {};
}

// The next call of every thread is in the new generation. Its number and its room are there.
bool engine_core::put_in_place(candidate& next, bool anyway, change how) {
  generation& made = next.made.front();
  const generation* const before = history_.running();
  const std::uint64_t old = before != nullptr ? before->number : 0;
  if (!answers_.publish(made.module->table(), made.number, anyway)) return false;
  // From here to the end nothing can fail: old code with callers inside must be in somebody's hands.
  if (how.why != cause::republished) {
    history_.forget_sent_away();  // what is there is there by a new decision
    if (probation_ != nullptr) probation_->begin(history_, old, made.number, clock::now());
  }
  history_.publish(next.made, old == 0 ? cause::first : how.why, std::move(how.went));
  next.lap(&timings::publish);
  return true;
}

// For a guarded call that came back; it may be on any thread.
void engine_core::came_back(const void* table) {
  if (probation_ != nullptr && probation_->counts() && answers_.confirms(table) && probation_->count_down()) be_asked();
}

void engine_core::remember(const attempt& result) {
  conclusion after = conclude(memory_, result, clock::now());
  memory_ = std::move(after.next);
  answers_.set_failure(memory_.failure);
  for (event& one : after.events) tell(std::move(one));
}

void engine_core::tell(event happened) {
  happened.path = wanted_.path;
  outbox_.post(std::move(happened));
}

}  // namespace autoreload::detail
