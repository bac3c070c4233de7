// SPDX-License-Identifier: MIT
// engine: drives the pipeline (by the service's thread or by the owner) and tells what happened.
#include <autoreload/engine.hpp>

#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <exception>
#include <filesystem>
#include <new>
#include <system_error>

#include "reload/engine_core.hpp"
#include "reload/publish.hpp"
#include "reload/retire/pin_registry.hpp"
#include "reload/service.hpp"
#include "system/cancellation.hpp"
#include "system/loader_state.hpp"

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

namespace {

// How many engines' pipelines this thread is inside of: more than one when a library's constructor calls a host that
// reloads another library.
thread_local int pipelines_here = 0;

constexpr std::string_view descriptors_closed =
    "somebody closed descriptors of this library behind its back (closefrom, close_range, a loop over all numbers): "
    "they "
    "were made again; with drive_mode::manual ask for descriptor() again";

}  // namespace

// One mutex for all engines, because questions are also asked in a forked child, where nobody would ever unlock it.
std::mutex& engine_core::names_mutex() {
  static auto* const one = [] {
    auto* const made = new std::mutex;
    pthread_atfork([] { names_mutex().lock(); }, [] { names_mutex().unlock(); }, [] { names_mutex().unlock(); });
    return made;
  }();
  return *one;
}

// Holds work_, unless this very thread holds it already: then the caller is inside the pipeline and must turn back.
class engine_core::work_lock {
 public:
  enum class how : std::uint8_t { wait, wait_briefly, try_once };

  work_lock(engine_core& core, how acquire) : core_(core) {
    if (core_.worker_.load() == std::this_thread::get_id()) {
      inside_ = true;
      return;
    }
    if (acquire == how::try_once) {
      if (core_.waiting_ == 0) lock_ = std::unique_lock(core_.work_, std::try_to_lock);
    } else {
      ++core_.waiting_;
      lock_ = std::unique_lock(core_.work_, std::try_to_lock);
      // Inside the loader this thread may hold its lock, for which the one at work waits.
      const bool for_ever = acquire == how::wait && (lock_ || !inside_the_loader());
      if (!lock_ && for_ever) lock_.lock();
      if (!lock_) lock_ = briefly();
      --core_.waiting_;
    }
    if (!lock_) return;
    core_.worker_ = std::this_thread::get_id();
    core_.deadline_ = never.time_since_epoch().count();  // until unlock(): the service has nothing to wait for here
    ++pipelines_here;
  }
  work_lock(const work_lock&) = delete;
  work_lock& operator=(const work_lock&) = delete;
  ~work_lock() { unlock(); }

  void unlock() {
    if (!lock_) return;
    --pipelines_here;
    core_.set_deadline();
    core_.worker_ = std::thread::id();
    lock_.unlock();
  }
  [[nodiscard]] bool held() const noexcept { return lock_.owns_lock(); }
  [[nodiscard]] bool inside() const noexcept { return inside_; }

 private:
  // Long enough for who only tidies up.
  [[nodiscard]] std::unique_lock<std::mutex> briefly() {
    std::unique_lock lock(core_.work_, std::try_to_lock);
    for (int tries = 100; tries > 0 && !lock; --tries) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      (void)lock.try_lock();
    }
    return lock;
  }

  engine_core& core_;
  std::unique_lock<std::mutex> lock_;
  bool inside_ = false;
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
    : api_(api),
      path_(std::move(path)),
      file_(from_the_root(path_)),
      options_(std::move(chosen)),
      current_(&current),
      process_(getpid()),
      cancel_(options_.trial.enabled ? eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) : -1) {
  const auto refuse_use = [&](const char* reason, const char* advice) {
    throw error(stage::use, path_, reason).advise(advice);
  };
  if (path_.empty() || path_.find('\0') != std::string::npos) {
    refuse_use("this is no path", "name the library's file");
  }
  if ((options_.load_flags & RTLD_NOW) == 0 || (options_.load_flags & (RTLD_NOLOAD | RTLD_NODELETE)) != 0) {
    refuse_use("these dlopen flags can't be used for reloading",
               "use RTLD_NOW with RTLD_LOCAL or RTLD_GLOBAL: a lazy binding ends the process at a missing symbol");
  }
  if (options_.poll_interval <= std::chrono::milliseconds::zero()) {
    refuse_use("the poll interval is not positive", "give it in milliseconds, 1 or more");
  }
  if (options_.poll_interval > std::chrono::hours(24)) {  // and far longer ones would overflow the clock
    refuse_use("the poll interval is longer than a day", "to look only when asked, pause() and call reload()");
  }
}

void engine_core::open() {
  prepare_pins();
  const bool background = options_.drive == drive_mode::background;
  {
    const work_lock work(*this, work_lock::how::wait);
    if (background) {
      service_ = service::get();
    } else {
      if (!loop_.open()) {
        throw error(stage::use, path_, "no descriptor for the event loop")
            .system(std::generic_category().message(errno));
      }
    }
    start_watching();
    look();
    first_look_ = false;
  }
  deliver();
  step();
  if (service_ != nullptr) service_->add(shared_from_this());
}

void engine_core::close() {
  const std::shared_ptr<service> served = service_;
  if (served != nullptr) served->remove(this);
  give_up_trial();
  {
    const work_lock work(*this, work_lock::how::wait);
    if (work.held() || work.inside()) {
      let_go_of_all();
    } else {
      leave_to_who_works();
    }
  }
  std::unique_lock lock(events_);
  closed_ = true;
  queue_.clear();
  const auto alone = [&] { return deliverer_ == std::thread::id() || deliverer_ == std::this_thread::get_id(); };
  if (alone()) return;
  if (inside_the_loader()) {  // the observer may need the loader, too
    delivered_.wait_for(lock, std::chrono::milliseconds(100), alone);
  } else {
    delivered_.wait(lock, alone);
  }
}

void engine_core::let_go_of_all() {
  publish(*current_, api_.not_loaded);
  number_ = 0;
  if (watch_) watch_->detach();  // not reset(): the service's thread may be asking it whether anything changed
  retired_.add(running_, options_.keep_old);
  retired_.abandon();
  current_ = nullptr;
  service_.reset();
}

// Destroyed inside a library's constructor or destructor, while another thread is at work here and waits for the
// loader. The pointer that calls go by is the owner's, and is gone in a moment: what is published from here on goes
// elsewhere.
void engine_core::leave_to_who_works() {
  const std::lock_guard lock(names_);
  publish(*current_, api_.not_loaded);
  current_ = &nobodys_;
  left_ = true;
}

bool engine_core::forked() const noexcept { return process_ != getpid(); }

// ---- watching

void engine_core::start_watching() {
  const bool by_polling =
      options_.watch == watch_mode::polling || (options_.watch == watch_mode::automatic && needs_polling(file_));
  std::shared_ptr<watch_hub> hub;
  std::optional<error> failure;
  if (!by_polling) {
    if (service_ != nullptr) {
      hub = service_->hub();
      if (hub == nullptr) failure = error(stage::watch, path_, "the system grants no inotify instance");
    } else if (auto made = watch_hub::make()) {
      if (loop_.add((*made)->readable())) {
        hub = own_hub_ = *std::move(made);
      } else {
        failure = error(stage::watch, path_, "descriptor() can't tell of inotify's events")
                      .system(std::generic_category().message(errno))
                      .advise("raise fs.epoll.max_user_watches, or watch by polling");
      }
    } else {
      failure = made.error();
    }
  }
  watch_.emplace(hub, options_.watch == watch_mode::automatic);
  if (failure) fall_back_to_polling(*failure);
  if (by_polling) {
    polling_ = true;
    poll_at_ = clock::now() + options_.poll_interval;
  } else if (hub != nullptr) {
    watch_again();
  }
}

void engine_core::watch_again() {
  watched_ = dependency_paths_;
  std::vector<std::string> paths = dependency_paths_;
  paths.push_back(file_);
  const result<bool> armed = watch_->arm(paths);
  if (!armed) {
    fall_back_to_polling(armed.error());
  } else {
    if (polling_ && options_.watch != watch_mode::polling) {  // what was short is there again
      polling_ = false;
      poll_at_ = never;
      warn(0, "inotify is to be had again: no more polling");
    }
    if (*armed) watch_->mark_changed();
  }
}

// Manual drive: a host may have closed them behind us, and then asks for descriptor() again.
void engine_core::renew_descriptors() {
  if (!loop_) return;
  const bool new_loop = loop_.renew_if_closed();  // first, while its number may be free
  const bool new_hub = own_hub_ != nullptr && own_hub_->renew_if_closed();
  if (own_hub_ == nullptr || !(new_hub || new_loop)) return;
  (void)loop_.add(own_hub_->readable());
  own_hub_->tell_renewed();
}

void engine_core::fall_back_to_polling(const error& reason) {
  const bool first = !polling_.exchange(true);
  poll_at_ = clock::now() + options_.poll_interval;
  if (!first) return;
  std::string text = "polling every " + std::to_string(options_.poll_interval.count());
  text += watch_->has_hub() ? " ms instead of inotify, which is tried again each time: " : " ms instead of inotify: ";
  warn(0, text + reason.what());
}

// ---- driving

bool engine_core::is_due(time_point now) {
  if (watch_->take_changed()) return true;
  if (look_at_ <= now) {
    look_at_ = never;
    return true;
  }
  if (poll_at_ > now) return false;
  poll_at_ = now + options_.poll_interval;
  if (watch_->has_hub()) watch_again();  // polling was a way out: try inotify again
  struct stat status {};
  if (stat(file_.c_str(), &status) != 0) return looked_at_.has_value() || !awaited_;
  return looked_at_ != file_identity::of(status) || state_of(dependency_paths_) != dependency_state_;
}

// Looks at the file, and again while names on the way to it keep changing.
void engine_core::look() {
  woken_ = clock::now();
  untidy_ = true;
  for (int round = 0; round < 8; ++round) {
    if (run_pipeline(false) == outcome::published || !leads_elsewhere()) return;
    watch_again();
    if (!watch_->take_changed()) return;
  }
  watch_->mark_changed();  // it was taken, and not looked at
}

bool engine_core::leads_elsewhere() {
  return watch_->has_hub() && (watch_->take_moved() || watched_ != dependency_paths_);
}

// News first; what nobody waits for is left to the next step, so that the reload's caller can go on. But it is not left
// for long: a file that changes all the time must not make the old generations pile up, nor keep the caller here.
void engine_core::step() {
  if (!watch_ || (!left_ && !watch_->has_changed() && clock::now() < deadline())) return;
  if (forked()) return;
  {
    const work_lock mine(*this, work_lock::how::try_once);
    if (!mine.held() || current_ == nullptr) return;
    try {
      if (watch_->take_renewed()) warn(0, std::string(descriptors_closed));
      const bool due = !paused_ && is_due(clock::now());
      if (!due || untidy_) tidy();
      if (due) look();
    } catch (const std::bad_alloc&) {
      out_of_memory();
    }
  }
  if (left_ && !forked()) {
    const work_lock mine(*this, work_lock::how::try_once);
    if (mine.held() && current_ != nullptr) let_go_of_all();
  }
  deliver();
}

void engine_core::tidy() {
  const time_point now = clock::now();
  untidy_ = false;
  if (leads_elsewhere()) watch_again();
  if (!running_.empty() && running_.front().image.origin) {
    complete(running_.front().image);
    snapshotter_.prepare(running_.front().image);
  }
  if (sweep_at_ <= now) sweep();
  if (paused_ || !awaited_ || say_at_ > now) return;
  say_at_ = never;
  if (run_pipeline(false) == outcome::waiting && awaited_ && said_ != awaited_->what()) {
    said_ = awaited_->what();
    emit({event_kind::waiting, number_, path_, awaited_->reason(), awaited_, {}});
  }
}

engine_core::time_point engine_core::deadline() const noexcept { return time_point(clock::duration(deadline_.load())); }

// Called as the last thing under work_.
void engine_core::set_deadline() {
  time_point next = untidy_ ? time_point{} : sweep_at_;
  if (!paused_) next = std::min({next, look_at_, awaited_ ? say_at_ : never, poll_at_});
  if (!paused_ && watch_ && watch_->has_changed()) next = time_point{};
  deadline_ = next.time_since_epoch().count();
  if (loop_) loop_.set(next);
}

void engine_core::poll() {
  if (forked()) return;
  renew_descriptors();
  if (own_hub_ != nullptr) own_hub_->drain();
  if (service_ == nullptr) {
    step();
    step();  // what the first left for later: the old generation
  }
  deliver();
}

result<bool> engine_core::reload() {
  if (forked()) {
    return error(stage::use, path_, "this process was forked from the one that watches")
        .advise("construct a new reloadable in the child; calls through this one go on");
  }
  bool published = false;
  std::optional<error> why;
  // It may have been turned away meanwhile; and an observer that throws leaves it what there is to do.
  struct call_the_service {
    const std::shared_ptr<service> served;
    ~call_the_service() {
      if (served != nullptr) served->wake();
    }
  } const at_the_end{service_};
  {
    // Inside another library's constructor this thread holds the loader's lock, for which whoever holds ours may be
    // waiting: so not for ever.
    const bool nested = pipelines_here > 0;
    work_lock work(*this, nested ? work_lock::how::wait_briefly : work_lock::how::wait);
    if (work.inside()) {
      return error(stage::use, path_, "reload() was called from inside this library's own loading or unloading")
          .advise("ask for it from another thread, or later");
    }
    if (!work.held()) {
      return error(stage::use, path_,
                   "reload() was called from inside a library's constructor or destructor, while another thread is "
                   "reloading this one: each may be waiting for the other")
          .advise("ask for it from another thread, or later");
    }
    if (current_ == nullptr) return error(stage::use, path_, "the engine is closed");
    woken_ = clock::now();
    untidy_ = true;
    try {
      published = run_pipeline(true) == outcome::published;
    } catch (const std::bad_alloc&) {
      out_of_memory();
    }
    if (busy_with_ && !awaited_) {
      why = error(stage::snapshot, path_, "somebody is writing the file").advise("it is loaded when they are done");
    } else if (!published) {
      why = failure();
    }
  }
  deliver();
  step();
  if (why) return *std::move(why);
  return published;
}

void engine_core::pause() {
  const std::lock_guard lock(names_);
  paused_ = true;
}

void engine_core::resume() {
  paused_ = false;
  if (forked()) return;
  if (watch_) watch_->mark_changed();
  {  // sets the deadline; who is at work sets it, too
    const work_lock work(*this, pipelines_here > 0 ? work_lock::how::try_once : work_lock::how::wait);
  }
  if (service_ != nullptr) service_->wake();
}

// ---- telling

void engine_core::emit(event happened) {
  if (!options_.observer) return;
  const std::lock_guard lock(events_);
  if (!closed_) queue_.push_back(std::move(happened));
}

// One thread delivers at a time, which keeps the order; who comes meanwhile leaves its events to that one. What an
// observer throws first is thrown on when all is delivered.
void engine_core::deliver() {
  std::unique_lock lock(events_);
  if (deliverer_ != std::thread::id()) return;
  deliverer_ = std::this_thread::get_id();
  struct done {  // also when an observer throws
    engine_core& core;
    std::unique_lock<std::mutex>& lock;
    ~done() {
      if (!lock) lock.lock();
      core.deliverer_ = std::thread::id();
      core.delivered_.notify_all();
    }
  } const at_the_end{*this, lock};
  std::exception_ptr thrown;
  while (!queue_.empty()) {
    const event next = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    try {
      options_.observer(next);
    } catch (const cancellation&) {
      throw;
    } catch (...) {
      if (thrown == nullptr) thrown = std::current_exception();
    }
    lock.lock();
  }
  if (thrown != nullptr) std::rethrow_exception(thrown);
}

void engine_core::warn(std::uint64_t number, const std::string& text) {
  if (std::find(warned_.begin(), warned_.end(), text) != warned_.end()) return;
  warned_.push_back(text);
  emit({event_kind::warning, number, path_, text, std::nullopt, {}});
}

void engine_core::report(const std::vector<retirement>& retired) {
  for (const retirement& one : retired) {
    emit({one.unloaded ? event_kind::unloaded : event_kind::retained,
          one.generation,
          path_,
          one.text,
          std::nullopt,
          {}});
  }
}

std::uint64_t engine_core::number_of(const void* table) const {
  const std::lock_guard lock(names_);
  const auto found = std::find_if(tables_.begin(), tables_.end(), [&](const auto& one) { return one.first == table; });
  return found == tables_.end() ? 0 : found->second;
}

std::optional<error> engine_core::failure() const {
  const std::lock_guard lock(names_);
  return failure_;
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
result<bool> engine::reload() {
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
