// SPDX-License-Identifier: MIT
// program_thread: one thread, one piece of work at a time.
#include "exec/program_thread.hpp"

#include <pthread.h>

#include <csignal>

namespace autoreload::exec {

bool start_thread(void* (*run)(void*), void* argument) {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_t thread{};
  const bool started = pthread_create(&thread, nullptr, run, argument) == 0;
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (started) {
    pthread_setname_np(thread, "autoreload");
    pthread_detach(thread);
  }
  return started;
}

bool program_thread::start() {
  started_ = start_thread(&loop, this);
  return started_;
}

void* program_thread::loop(void* self) {
  auto& here = *static_cast<program_thread*>(self);
  std::unique_lock lock(here.mutex_);
  for (;;) {
    here.moved_.wait(lock, [&] { return here.work_ != nullptr; });
    const std::function<void()>& work = *here.work_;
    lock.unlock();
    work();
    lock.lock();
    here.work_ = nullptr;
    here.moved_.notify_all();
  }
}

void program_thread::run(const std::function<void()>& work) {
  if (!started_) return work();
  const std::lock_guard one_caller(callers_);
  std::unique_lock lock(mutex_);
  work_ = &work;
  moved_.notify_all();
  moved_.wait(lock, [&] { return work_ == nullptr; });
}

}  // namespace autoreload::exec
