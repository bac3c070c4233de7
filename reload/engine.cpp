// SPDX-License-Identifier: MIT
// engine: opens and closes one, takes what is at the path through the pipeline, and tells what happened.
#include <autoreload/engine.hpp>

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <new>
#include <system_error>

#include "crash/crash_table.hpp"
#include "reload/at_work.hpp"
#include "reload/engine_core.hpp"
#include "reload/retire/pin_registry.hpp"
#include "reload/service.hpp"

namespace autoreload::detail {

namespace {

// As a string: nothing on the way is resolved, links may be switched later.
std::string from_the_root(const std::string& path) {
  std::error_code failure;
  const std::filesystem::path whole = std::filesystem::absolute(path, failure);
  return failure || path.empty() ? path : whole.string();
}

order order_for(const loader& api, std::string path, options chosen) {
  std::string file = from_the_root(path);
  return {api, std::move(path), std::move(file), std::move(chosen)};
}

}  // namespace

engine_core::engine_core(loader api, std::string path, options chosen, published& current)
    : wanted_(order_for(api, std::move(path), std::move(chosen))),
      process_(getpid()),
      cancel_(wanted_.chosen.trial.enabled ? eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) : -1),
      answers_(current) {
  const auto refuse_use = [&](const char* reason, const char* advice) {
    throw error(stage::use, wanted_.path, reason).advise(advice);
  };
  if (wanted_.path.empty() || wanted_.path.find('\0') != std::string::npos) {
    refuse_use("this is no path", "name the library's file");
  }
  if ((wanted_.chosen.load_flags & RTLD_NOW) == 0 || (wanted_.chosen.load_flags & (RTLD_NOLOAD | RTLD_NODELETE)) != 0) {
    refuse_use("these dlopen flags can't be used for reloading",
               "use RTLD_NOW with RTLD_LOCAL or RTLD_GLOBAL: a lazy binding ends the process at a missing symbol");
  }
  if (wanted_.chosen.poll_interval <= std::chrono::milliseconds::zero()) {
    refuse_use("the poll interval is not positive", "give it in milliseconds, 1 or more");
  }
  if (wanted_.chosen.handover.limit <= std::chrono::milliseconds::zero() ||
      wanted_.chosen.handover.limit > std::chrono::minutes(1)) {
    refuse_use("a handover's limit must be from 1 ms to a minute", "callers wait so long at most: 100 ms is usual");
  }
  if (wanted_.chosen.poll_interval > std::chrono::hours(24)) {  // and far longer ones would overflow the clock
    refuse_use("the poll interval is longer than a day", "to look only when asked, pause() and call reload()");
  }
}

void engine_core::open() {
  prepare_pins();
  {
    const at_work here(*this, work_lock::how::wait);
    if (wanted_.chosen.drive == drive_mode::background) {
      service_ = service::get();
    } else {
      alarm_.open(true).value();
    }
    start_watching();
    offered_ = std::make_unique<running_library>(
        running_library::engine{wanted_.file, [this] { return answers_.paused(); }, [this] { be_asked(); }});
    spare_time any;
    look(any);
    memory_.opening = false;
  }
  outbox_.deliver();
  step();
  if (service_ != nullptr) service_->add(shared_from_this());
}

void engine_core::close(const void* stack) {
  const std::shared_ptr<service> served = service_;
  if (served != nullptr) served->remove(this);
  // A trial that another thread waits for would hold this up for its whole time limit. A forked child has the same
  // eventfd and no business with its parent's trials.
  if (cancel_.still_ours() && !forked()) eventfd_write(cancel_.get(), 1);
  {
    const at_work here(*this, work_lock::how::wait);
    if (here->held() || here->inside()) {
      answers_.with_published([&](published& at) { frames_.close(at, wanted_.api.not_loaded, stack); });
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
  if (source_ != nullptr) source_->stop();  // not reset(): the service's thread may ask it whether it has something
  on_trial_.reset();
  history_.close();
  answers_.close();
  service_.reset();
}

bool engine_core::forked() const noexcept { return process_ != getpid(); }

// ---- watching

void engine_core::start_watching() {
  const auto hub = [this]() -> result<std::shared_ptr<watch_hub>> {
    if (service_ != nullptr && service_->hub() != nullptr) return service_->hub();
    if (service_ != nullptr) return error(stage::watch, wanted_.path, "the system grants no inotify instance");
    auto made = watch_hub::make();
    if (!made) return made;
    const result<void> added = alarm_.add((*made)->readable());
    return added ? made : added.error();
  };
  const auto warn = [this](const std::string& text) { tell({event_kind::warning, 0, {}, text, std::nullopt, {}}); };
  source_ = make_change_source({wanted_.file, wanted_.chosen.watch, wanted_.chosen.poll_interval, hub, warn});
  (void)source_->arm({});  // the first look follows
}

// ---- driving

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
  const context here{wanted_,
                     memory_,
                     history_,
                     forced,
                     wanted_.chosen.state != nullptr && from != start::fresh && history_.running() != nullptr,
                     history_.is_held(),
                     nullptr,
                     forced || memory_.opening,
                     cancel_.still_ours() ? cancel_.get() : -1,
                     trial_ended,
                     offered_.get(),
                     reader_,
                     patience_,
                     time,
                     usual_.stages};
  std::optional<setback> no = run_stages(here, *next);
  const auto publish_it = [&] {
    no = hand_over(*next, forced, from, {forced ? cause::asked : cause::changed, "a newer build took its place"});
  };
  if (!no && !time.spend(usual_.handover, publish_it)) no = put_off(*next);
  if (answers_.closed()) return setback{setback_kind::withdrawn};  // what the handover called destroyed the engine
  attempt result{
      .no = no, .generation = number(), .times = next->times, .warnings = next->warnings, .state = next->state};
  const file_identity source = next->source;
  if (source.settled()) result.settled = source;
  if (no && (no->kind == setback_kind::refused_content || no->kind == setback_kind::held)) {
    result.build = digest_of(*next);
  }
  if (next->needs.looked_for) result.needs = next->needs.paths;
  result.needs_state = next->needs.settled ? next->needs.state : 0;
  if (no && no->kind == setback_kind::put_off) schedule_.ask();
  if (no &&
      (no->kind == setback_kind::on_trial || no->kind == setback_kind::held_up || no->kind == setback_kind::put_off)) {
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
  if (service_ != nullptr) service_->wake();
  alarm_.ring();
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

// The next call of every thread is in the new generation. Its number and its room are there.
bool engine_core::put_in_place(candidate& next, bool anyway, change how) {
  generation& made = next.made.front();
  const generation* const before = history_.running();
  const std::uint64_t old = before != nullptr ? before->number : 0;
  if (!answers_.publish(made.module->table(), made.number, anyway)) return false;
  // From here to the end nothing can fail: old code with callers inside must be in somebody's hands.
  if (how.why != cause::republished) {
    history_.forget_sent_away();  // what is there is there by a new decision
    begin_probation(old, made.number);
  }
  history_.publish(next.made, old == 0 ? cause::first : how.why, std::move(how.went));
  next.lap(&timings::publish);
  return true;
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
