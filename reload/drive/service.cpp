// SPDX-License-Identifier: MIT
// service: waits for the hub, for a wake-up and for the engines' deadlines.
//
// SHARED  the state: engines and the descriptor that wakes (guarded by its mutex; the thread works on a copy of the
//         list, so that an engine may be added or removed from an observer), stop and list_changed (flags, set before
//         the wake-up's write, which orders them for the thread). The service: its state and thread (guarded by its
//         mutex), as both are replaced when the thread can't be woken any more.
// CLOSED  A host may close our descriptors behind us. A sleeping ppoll keeps what it waits for, though no number leads
//         there any more: the next change of a file still wakes it, and it makes the descriptors anew. Who has to wake
//         it before that can't, and starts another thread instead; the sleeper ends with the next change.
// FORK    the child has no such thread: it forgets the service, and get() makes another for engines that the child
//         constructs.
#include "reload/drive/service.hpp"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <ctime>
#include <new>
#include <system_error>
#include <utility>

#include "reload/drive/alarm.hpp"
#include "reload/engine_core.hpp"
#include "system/host_signals.hpp"
#include "system/loader_state.hpp"

namespace autoreload {
namespace {

struct registry {
  std::mutex mutex;
  std::weak_ptr<service> running;
};

registry& the_registry() {
  static auto* const one = [] {
    auto* const made = new registry;
    pthread_atfork([] { the_registry().mutex.lock(); }, [] { the_registry().mutex.unlock(); },
                   [] {
                     // Not reset(): what it points to belongs to threads that the child doesn't have.
                     new (&the_registry().running) std::weak_ptr<service>();
                     the_registry().mutex.unlock();
                   });
    return made;
  }();
  return *one;
}

}  // namespace

std::shared_ptr<service> service::get() {
  registry& here = the_registry();
  const std::lock_guard lock(here.mutex);
  std::shared_ptr<service> running = here.running.lock();
  if (running == nullptr) {
    // Its thread may be in our code when a plugin that has a copy of us is closed. So such a plugin stays.
    keep_resident(reinterpret_cast<const void*>(&the_registry));
    try {
      running = std::make_shared<service>();
    } catch (const std::system_error& failure) {
      throw error(stage::use, {}, "the background thread can't be started")
          .system(failure.what())
          .advise("use drive_mode::manual, or raise the limit of threads");
    }
    here.running = running;
  }
  return running;
}

service::service() {
  result<std::shared_ptr<watch_hub>> made = watch_hub::make();
  if (made) {
    hub_ = *std::move(made);
  } else {
    no_hub_ = made.error();
  }
  start();
}

// Under mutex_, or before anybody knows the service.
void service::start() {
  auto next = std::make_shared<state>();
  next->hub = hub_;
  next->wake = unique_fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!next->wake) throw std::system_error(errno, std::generic_category(), "eventfd");
  // The host's signal handlers are not to run on a thread that the host doesn't know; a fault must reach them all the
  // same. The thread inherits the mask.
  struct masked {
    sigset_t before = signal_mask_of_this_thread();
    masked() { block_signals_but_faults(); }
    masked(const masked&) = delete;
    masked& operator=(const masked&) = delete;
    ~masked() { pthread_sigmask(SIG_SETMASK, &before, nullptr); }
  } const while_it_starts;
  std::thread thread([mine = next] { mine->run(); });
  pthread_setname_np(thread.native_handle(), "autoreload");
  state_ = std::move(next);
  thread_ = std::move(thread);
}

service::~service() {
  state_->stop = true;
  const bool woken = state_->wake_up();
  // Inside the loader this thread may hold what the other one waits for.
  if (!woken || inside_the_loader() || thread_.get_id() == std::this_thread::get_id()) {
    thread_.detach();
  } else {
    thread_.join();
  }
}

void service::add(const std::shared_ptr<detail::engine_core>& engine) {
  {
    const std::lock_guard here(mutex_);
    const std::lock_guard lock(state_->mutex);
    state_->engines.push_back({engine, signal_mask_of_this_thread()});
    state_->list_changed = true;
  }
  wake();
}

void service::remove(const detail::engine_core* engine) {
  {
    const std::lock_guard here(mutex_);
    const std::lock_guard lock(state_->mutex);
    std::erase_if(state_->engines, [&](const served& one) { return one.engine.get() == engine; });
    state_->list_changed = true;
  }
  wake();
}

void service::wake() noexcept {
  const std::lock_guard here(mutex_);
  if (!state_->wake_up()) replace_thread();
}

// Without a thread or a descriptor for another the sleeper goes on: a change of a file wakes it, and then it renews.
void service::replace_thread() noexcept {
  const std::shared_ptr<state> old = state_;
  std::thread sleeper = std::move(thread_);
  try {
    start();
    const std::lock_guard lock(old->mutex);
    state_->engines.swap(old->engines);
    state_->list_changed = true;
    old->list_changed = true;
    old->stop = true;
    state_->wake_up();
    sleeper.detach();
    if (hub_ != nullptr && !hub_->renew_if_closed()) hub_->tell_renewed();
  } catch (const std::exception&) {
    thread_ = std::move(sleeper);
  }
}

bool service::state::wake_up() noexcept {
  const std::lock_guard lock(mutex);
  const std::uint64_t one = 1;
  if (!wake.still_ours()) return false;
  return write(wake.get(), &one, sizeof one) == sizeof one || errno == EAGAIN;
}

bool service::state::renew_if_closed() {
  const bool hubs = hub != nullptr && hub->renew_if_closed();
  const std::lock_guard lock(mutex);
  if (wake.still_ours() || stop) return hubs;
  wake = unique_fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (hub != nullptr) hub->tell_renewed();
  return true;
}

void service::state::wait(std::chrono::steady_clock::time_point until) {
  timespec patience{};
  if (renew_if_closed()) until = {};  // it has to be told, and looked for what was missed
  const bool forever = until == never;
  if (!forever) {
    const auto left = std::max(until - std::chrono::steady_clock::now(), std::chrono::steady_clock::duration::zero());
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(left);
    patience.tv_sec = seconds.count();
    patience.tv_nsec = std::chrono::nanoseconds(left - seconds).count();
  }
  std::array<pollfd, 2> sources{pollfd{-1, POLLIN, 0}, pollfd{hub != nullptr ? hub->readable() : -1, POLLIN, 0}};
  {
    const std::lock_guard lock(mutex);
    sources[0].fd = wake.get();
  }
  ppoll(sources.data(), sources.size(), forever ? nullptr : &patience, nullptr);
  if (sources[0].revents != 0) {
    const std::lock_guard lock(mutex);
    std::uint64_t count = 0;
    if (wake.still_ours()) [[maybe_unused]]
      const ssize_t taken = read(wake.get(), &count, sizeof count);
  }
  if (sources[1].revents != 0) hub->drain();
}

void service::state::run() {
  std::vector<served> mine;
  while (!stop) {
    auto deadline = never;
    if (list_changed.exchange(false)) {
      const std::lock_guard lock(mutex);
      mine = engines;
      deadline = {};  // a new one's event may have been drained before it was known here
    }
    for (const served& one : mine) deadline = std::min(deadline, one.engine->deadline());
    wait(deadline);
    for (const served& one : mine) {
      const serving host(one.mask);
      try {
        one.engine->step();
      } catch (...) {  // an observer's: it has nobody to go to here, and the other libraries are not to suffer
      }
    }
  }
}

std::shared_ptr<driver> make_driver(drive_mode mode) {
  if (mode == drive_mode::background) return service::get();
  return std::make_shared<alarm_clock>();
}

}  // namespace autoreload
