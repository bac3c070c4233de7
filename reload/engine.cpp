// SPDX-License-Identifier: MIT
// engine: drives the pipeline (by the service's thread or by the owner) and tells what happened.
#include <autoreload/engine.hpp>

#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <new>
#include <system_error>

#include "crash/crash_table.hpp"
#include "reload/engine_core.hpp"
#include "reload/retire/pin_registry.hpp"
#include "reload/service.hpp"

namespace autoreload {

std::string_view to_string(event_kind kind) noexcept {
  switch (kind) {
    case event_kind::loaded: return "loaded";
    case event_kind::refused: return "refused";
    case event_kind::waiting: return "waiting";
    case event_kind::unloaded: return "unloaded";
    case event_kind::retained: return "retained";
    case event_kind::warning: return "warning";
  }
  return "unknown";
}

}  // namespace autoreload

namespace autoreload::detail {

// Holds work_. Meanwhile the service has nothing to wait for here.
class engine_core::at_work {
 public:
  at_work(engine_core& core, work_lock::how acquire) : core_(core), lock_(core.work_, acquire) {
    if (lock_.held()) core_.deadline_ = never.time_since_epoch().count();
  }
  at_work(const at_work&) = delete;
  at_work& operator=(const at_work&) = delete;
  ~at_work() {
    if (lock_.held()) core_.set_deadline();
  }
  const work_lock* operator->() const noexcept { return &lock_; }

 private:
  engine_core& core_;
  work_lock lock_;
};

namespace {

// As a string: nothing on the way is resolved, links may be switched later.
std::string from_the_root(const std::string& path) {
  std::error_code failure;
  const std::filesystem::path whole = std::filesystem::absolute(path, failure);
  return failure || path.empty() ? path : whole.string();
}

}  // namespace

engine_core::engine_core(loader api, std::string path, options chosen, std::atomic<const void*>& current)
    : wanted_{api, path, from_the_root(path), std::move(chosen)},
      current_(&current),
      process_(getpid()),
      cancel_(wanted_.chosen.trial.enabled ? eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) : -1) {
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
  if (wanted_.chosen.poll_interval > std::chrono::hours(24)) {  // and far longer ones would overflow the clock
    refuse_use("the poll interval is longer than a day", "to look only when asked, pause() and call reload()");
  }
}

void engine_core::open() {
  prepare_pins();
  const bool background = wanted_.chosen.drive == drive_mode::background;
  {
    const at_work here(*this, work_lock::how::wait);
    if (background) {
      service_ = service::get();
    } else {
      readable_ = unique_fd(epoll_create1(EPOLL_CLOEXEC));
      timer_ = unique_fd(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
      epoll_event interest{EPOLLIN, {}};
      if (!readable_ || !timer_ || epoll_ctl(readable_.get(), EPOLL_CTL_ADD, timer_.get(), &interest) != 0) {
        throw error(stage::use, wanted_.path, "no descriptor for the event loop")
            .system(std::generic_category().message(errno));
      }
    }
    start_watching();
    look();
    memory_.opening = false;
  }
  outbox_.deliver();
  step();
  if (service_ != nullptr) service_->add(shared_from_this());
}

void engine_core::close() {
  const std::shared_ptr<service> served = service_;
  if (served != nullptr) served->remove(this);
  give_up_trial();
  {
    const at_work here(*this, work_lock::how::wait);
    answers_.unpublish(*current_, wanted_.api.not_loaded);
    if (watch_) watch_->detach();  // not reset(): the service's thread may be asking it whether anything changed
    retired_.add(running_, wanted_.chosen.keep_old);
    retired_.abandon();
    current_ = nullptr;
    service_.reset();
  }
  outbox_.close();
}

// A trial that another thread waits for would hold up the engine's end for its whole time limit. A forked child has the
// same eventfd and no business with its parent's trials.
void engine_core::give_up_trial() noexcept {
  closing_ = true;
  if (cancel_ && !forked()) eventfd_write(cancel_.get(), 1);
}

bool engine_core::forked() const noexcept { return process_ != getpid(); }

// ---- watching

void engine_core::start_watching() {
  const bool by_polling = wanted_.chosen.watch == watch_mode::polling ||
                          (wanted_.chosen.watch == watch_mode::automatic && needs_polling(wanted_.file));
  std::shared_ptr<watch_hub> hub;
  std::optional<error> failure;
  if (!by_polling) {
    if (service_ != nullptr) {
      hub = service_->hub();
      if (hub == nullptr) failure = error(stage::watch, wanted_.path, "the system grants no inotify instance");
    } else if (auto made = watch_hub::make()) {
      epoll_event interest{EPOLLIN, {}};
      if (epoll_ctl(readable_.get(), EPOLL_CTL_ADD, (*made)->readable(), &interest) == 0) {
        hub = own_hub_ = *std::move(made);
      } else {
        failure = error(stage::watch, wanted_.path, "descriptor() can't tell of inotify's events")
                      .system(std::generic_category().message(errno))
                      .advise("raise fs.epoll.max_user_watches, or watch by polling");
      }
    } else {
      failure = made.error();
    }
  }
  watch_.emplace(hub, wanted_.chosen.watch == watch_mode::automatic);
  if (failure) fall_back_to_polling(*failure);
  if (by_polling) {
    polling_ = true;
    poll_at_ = clock::now() + wanted_.chosen.poll_interval;
  } else if (hub != nullptr) {
    watch_again();
  }
}

void engine_core::watch_again() {
  watched_ = memory_.needed;
  std::vector<std::string> paths = memory_.needed;
  paths.push_back(wanted_.file);
  const result<bool> armed = watch_->arm(paths);
  if (!armed) {
    fall_back_to_polling(armed.error());
  } else {
    if (polling_ && wanted_.chosen.watch != watch_mode::polling) {  // what was short is there again
      polling_ = false;
      poll_at_ = never;
      tell({event_kind::warning, 0, {}, "inotify is to be had again: no more polling", std::nullopt, {}});
    }
    if (*armed) watch_->mark_changed();
  }
}

void engine_core::fall_back_to_polling(const error& reason) {
  const bool first = !polling_.exchange(true);
  poll_at_ = clock::now() + wanted_.chosen.poll_interval;
  if (!first) return;
  std::string text = "polling every " + std::to_string(wanted_.chosen.poll_interval.count());
  text += watch_->has_hub() ? " ms instead of inotify, which is tried again each time: " : " ms instead of inotify: ";
  tell({event_kind::warning, 0, {}, text + reason.what(), std::nullopt, {}});
}

// ---- driving

bool engine_core::is_due(time_point now) {
  if (watch_->take_changed()) return true;
  if (memory_.look_at <= now) return true;
  if (poll_at_ > now) return false;
  poll_at_ = now + wanted_.chosen.poll_interval;
  if (watch_->has_hub()) watch_again();  // polling was a way out: try inotify again
  struct stat status {};
  if (stat(wanted_.file.c_str(), &status) != 0) return memory_.looked_at.has_value() || !memory_.awaited;
  return memory_.looked_at != file_identity::of(status) || state_of(memory_.needed) != memory_.needed_state;
}

// Looks at the file, and again while names on the way to it keep changing.
void engine_core::look() {
  for (int round = 0; round < 8; ++round) {
    if (!examine_or_wait_for_memory(false) || !leads_elsewhere()) return;
    watch_again();
    if (!watch_->take_changed()) return;
  }
  watch_->mark_changed();  // it was taken, and not looked at
}

// Takes what is at the path through the stages. @return why it was not published
std::optional<setback> engine_core::examine(bool forced) {
  untidy_ = true;
  candidate next(clock::now());
  const context here{wanted_, memory_,  running_.empty() ? nullptr : &running_.front(), forced, cancel_.get(), closing_,
                     reader_, patience_};
  std::optional<setback> no = run_stages(here, next);
  if (!no && !put_in_place(next, forced)) no = setback{setback_kind::withdrawn};  // resume() looks again
  attempt result{.no = no, .generation = number(), .times = next.times, .warnings = std::move(next.warnings)};
  if (next.source.settled()) result.settled = next.source;
  if (no && no->kind == setback_kind::refused_content) result.build = digest_of(next);
  if (next.needs.looked_for) result.needs = std::move(next.needs.paths);
  result.needs_state = next.needs.settled ? next.needs.state : 0;
  remember(result);
  return no;
}

// For want of memory: first that it is tried again, then the words, which take memory themselves.
std::optional<setback> engine_core::examine_or_wait_for_memory(bool forced) {
  try {
    return examine(forced);
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
  if (watch_) watch_->mark_moved();  // may have been taken, to no avail
}

// The next call of every thread is in the new generation.
bool engine_core::put_in_place(candidate& next, bool forced) {
  generation& made = next.made.front();
  made.number = number() + 1;
  answers_.make_room();
  made.crash_ticket =
      crash_table::add(made.number, wanted_.path, next.base, made.facts.segments, made.image.memory.get());
  if (!answers_.publish(*current_, made.module->table(), made.number, forced)) {
    crash_table::remove(made.crash_ticket);
    return false;
  }
  // From here to the end nothing can fail: old code with callers inside must be in somebody's hands.
  running_.swap(next.made);
  if (!next.made.empty()) {
    retired_.add(next.made, wanted_.chosen.keep_old);
    sweep_pause_ = std::chrono::milliseconds(0);
    sweep_at_ = clock::now();
  }
  next.lap(&timings::publish);
  return true;
}

void engine_core::remember(const attempt& result) {
  conclusion after = conclude(memory_, result, clock::now());
  memory_ = std::move(after.next);
  answers_.set_failure(memory_.failure);
  for (event& one : after.events) tell(std::move(one));
}

bool engine_core::leads_elsewhere() {
  return watch_->has_hub() && (watch_->take_moved() || watched_ != memory_.needed);
}

// News first; what nobody waits for is left to the next step, so that the reload's caller can go on. But it is not left
// for long: a file that changes all the time must not make the old generations pile up, nor keep the caller here.
void engine_core::step() {
  if (!watch_ || (!watch_->has_changed() && clock::now() < deadline())) return;
  if (forked()) return;
  {
    const at_work mine(*this, work_lock::how::try_once);
    if (!mine->held() || current_ == nullptr) return;
    try {
      const bool due = !answers_.paused() && is_due(clock::now());
      if (!due || untidy_) maintain();
      if (due) look();
    } catch (const std::bad_alloc&) {
      try_again_later();
    }
  }
  outbox_.deliver();
}

// What nobody waits for.
void engine_core::maintain() {
  untidy_ = false;
  if (leads_elsewhere()) watch_again();
  if (!running_.empty() && running_.front().image.origin) {
    complete(running_.front().image);
    reader_.prepare(running_.front().image);
  }
  if (sweep_at_ <= clock::now()) sweep();
}

void engine_core::sweep() {
  // First, so that a sweep for which there is no memory is not tried again at once.
  sweep_pause_ = std::clamp(sweep_pause_ * 2, std::chrono::milliseconds(1), std::chrono::milliseconds(250));
  sweep_at_ = clock::now() + sweep_pause_;
  for (retirement& one : retired_.sweep()) {
    if (one.unloaded) answers_.forget(one.generation);
    const event_kind kind = one.unloaded ? event_kind::unloaded : event_kind::retained;
    tell({kind, one.generation, {}, std::move(one.text), std::nullopt, {}});
  }
  if (!retired_.pending()) sweep_at_ = never;
}

time_point engine_core::deadline() const noexcept { return time_point(clock::duration(deadline_.load())); }

// Called as the last thing under work_.
void engine_core::set_deadline() {
  time_point next = untidy_ ? time_point{} : sweep_at_;
  if (!answers_.paused()) {
    next = std::min({next, memory_.look_at, poll_at_});
    if (watch_ && watch_->has_changed()) next = time_point{};
  }
  deadline_ = next.time_since_epoch().count();
  if (!timer_) return;
  itimerspec when{};
  if (next != never) {
    const auto since = std::max(next.time_since_epoch(), clock::duration{1});
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(since);
    when.it_value = {seconds.count(), std::chrono::nanoseconds(since - seconds).count()};
  }
  timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &when, nullptr);
}

void engine_core::poll() {
  if (forked()) return;
  if (own_hub_ != nullptr) own_hub_->drain();
  if (service_ == nullptr) {
    step();
    step();  // what the first left for later: the old generation
  }
  outbox_.deliver();
}

result<void> engine_core::reload() {
  const auto not_now = [&](const char* reason, const char* advice = "ask for it from another thread, or later") {
    return error(stage::use, wanted_.path, reason).advise(advice);
  };
  if (forked()) {
    return not_now("this process was forked from the one that watches",
                   "construct a new reloadable in the child; calls through this one go on");
  }
  // It may have been turned away meanwhile; and an observer that throws leaves it what there is to do.
  struct call_the_service {
    const std::shared_ptr<service> served;
    ~call_the_service() {
      if (served != nullptr) served->wake();
    }
  } const at_the_end{service_};
  std::optional<setback> no;
  {
    // Inside another library's constructor this thread holds the loader's lock, for which whoever holds ours may be
    // waiting: so not for ever.
    const at_work here(*this, work_lock::nested() ? work_lock::how::wait_briefly : work_lock::how::wait);
    if (here->inside()) return not_now("reload() was called from inside this library's own loading or unloading");
    if (!here->held()) {
      return not_now(
          "reload() was called from inside another library's loading or unloading, while another thread is reloading "
          "this one");
    }
    if (current_ != nullptr) no = examine_or_wait_for_memory(true);
    if (current_ == nullptr || (no && !no->why)) no = {setback_kind::withdrawn, not_now("the engine is closed", "")};
  }
  outbox_.deliver();
  step();
  if (no) return *std::move(no->why);
  return {};
}

void engine_core::pause() { answers_.pause(true); }

void engine_core::resume() {
  answers_.pause(false);
  if (forked()) return;
  if (watch_) watch_->mark_changed();
  {  // sets the deadline; who is at work sets it, too
    const at_work here(*this, work_lock::nested() ? work_lock::how::try_once : work_lock::how::wait);
  }
  if (service_ != nullptr) service_->wake();
}

void engine_core::tell(event happened) {
  happened.path = wanted_.path;
  outbox_.post(std::move(happened));
}

// ---- the handle that `reloadable` holds

engine::engine(loader api, std::string path, options chosen, std::atomic<const void*>& current)
    : core_(std::make_shared<engine_core>(api, std::move(path), std::move(chosen), current)) {
  try {
    core_->open();
  } catch (...) {  // an observer's, too: there may be a generation by then
    core_->close();
    throw;
  }
}

engine::~engine() {
  if (core_->forked()) {
    // The thread, the locks' owners and the inotify instance are the parent's: leave them and the library alone.
    new std::shared_ptr<engine_core>(std::move(core_));
    return;
  }
  core_->close();
}

// An observer may destroy the engine that calls it.
void engine::poll() {
  const std::shared_ptr<engine_core> kept = core_;
  kept->poll();
}
result<void> engine::reload() {
  const std::shared_ptr<engine_core> kept = core_;
  return kept->reload();
}
void engine::pause() { core_->pause(); }
void engine::resume() { core_->resume(); }
int engine::descriptor() const { return core_->readable(); }
std::uint64_t engine::generation_of(const void* table) const { return core_->number_of(table); }
std::uint64_t engine::generation() const { return core_->number(); }
std::optional<error> engine::last_failure() const { return core_->failure(); }
const std::string& engine::path() const { return core_->path(); }
watch_mode engine::watching() const { return core_->watching(); }

}  // namespace autoreload::detail
