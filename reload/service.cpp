// SPDX-License-Identifier: MIT
// service: waits for the hub, for a wake-up and for the engines' deadlines.
//
// SHARED  the state: engines (guarded by its mutex; the thread works on a copy, so that an engine may be added or
//         removed from an observer), stop and list_changed (flags, set before the wake-up's write, which orders them
//         for the thread).
// FORK    the child has no such thread: it forgets the service, and get() makes another for engines that the child
//         constructs.
#include "reload/service.hpp"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <ctime>
#include <new>
#include <system_error>

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

service::service() : state_(std::make_shared<state>()) {
  state_->wake = unique_fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!state_->wake) throw std::system_error(errno, std::generic_category(), "eventfd");
  if (auto made = watch_hub::make()) state_->hub = *std::move(made);
  // The host's signal handlers are not to run on a thread that the host doesn't know; a fault must reach them all the
  // same.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  for (const int fault : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGABRT}) sigdelset(&all, fault);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    thread_ = std::thread([mine = state_] { mine->run(); });
  } catch (...) {
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    throw;
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_setname_np(thread_.native_handle(), "autoreload");
}

service::~service() {
  state_->stop = true;
  state_->wake_up();
  if (thread_.get_id() == std::this_thread::get_id()) {
    thread_.detach();
  } else {
    thread_.join();
  }
}

void service::add(std::shared_ptr<detail::engine_core> engine) {
  {
    const std::lock_guard lock(state_->mutex);
    state_->engines.push_back(std::move(engine));
    state_->list_changed = true;
  }
  wake();
}

void service::remove(const detail::engine_core* engine) {
  {
    const std::lock_guard lock(state_->mutex);
    std::erase_if(state_->engines, [&](const auto& one) { return one.get() == engine; });
    state_->list_changed = true;
  }
  wake();
}

void service::state::wake_up() noexcept {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = write(wake.get(), &one, sizeof one);
}

void service::state::run() {
  std::vector<std::shared_ptr<detail::engine_core>> mine;
  std::array<pollfd, 2> sources{pollfd{wake.get(), POLLIN, 0},
                                pollfd{hub != nullptr ? hub->readable() : -1, POLLIN, 0}};
  while (!stop) {
    auto deadline = never;
    if (list_changed.exchange(false)) {
      const std::lock_guard lock(mutex);
      mine = engines;
      deadline = {};  // a new one's event may have been drained before it was known here
    }
    for (const auto& engine : mine) deadline = std::min(deadline, engine->deadline());
    timespec patience{};
    if (deadline != never) {
      const auto left =
          std::max(deadline - std::chrono::steady_clock::now(), std::chrono::steady_clock::duration::zero());
      const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(left);
      patience.tv_sec = seconds.count();
      patience.tv_nsec = std::chrono::nanoseconds(left - seconds).count();
    }
    ppoll(sources.data(), sources.size(), deadline != never ? &patience : nullptr, nullptr);
    if ((sources[0].revents & POLLIN) != 0) {
      std::uint64_t count = 0;
      [[maybe_unused]] const ssize_t taken = read(wake.get(), &count, sizeof count);
    }
    if ((sources[1].revents & POLLIN) != 0) hub->drain();
    for (const auto& engine : mine) {
      try {
        engine->step();
      } catch (...) {  // an observer's: it has nobody to go to here, and the other libraries are not to suffer
      }
    }
  }
}

}  // namespace autoreload
