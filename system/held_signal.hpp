// SPDX-License-Identifier: MIT
// held_signal: keeps a signal that a system call of ours causes from reaching the host, whose default action is to end.
#pragma once

#include <pthread.h>

#include <cerrno>
#include <csignal>
#include <ctime>

namespace autoreload {

/// While it lives, this signal does not reach this thread. One that came meanwhile is taken back at the end; one that
/// was pending before stays pending. For signals that the kernel sends to the thread that makes the call: SIGPIPE,
/// SIGXFSZ.
class held_signal {
 public:
  explicit held_signal(int number) noexcept {
    sigemptyset(&signal_);
    sigaddset(&signal_, number);
    sigset_t pending;
    sigpending(&pending);
    was_pending_ = sigismember(&pending, number) == 1;
    pthread_sigmask(SIG_BLOCK, &signal_, &before_);
  }
  held_signal(const held_signal&) = delete;
  held_signal& operator=(const held_signal&) = delete;
  ~held_signal() {
    const int number = errno;
    const timespec no_time{};
    while (!was_pending_ && sigtimedwait(&signal_, nullptr, &no_time) < 0 && errno == EINTR) continue;
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
    errno = number;
  }

 private:
  sigset_t signal_{};
  sigset_t before_{};
  bool was_pending_ = false;
};

}  // namespace autoreload
