// SPDX-License-Identifier: MIT
// file_limit: lets a write beyond the process's file size limit fail instead of ending the process.
#pragma once

#include <pthread.h>
#include <sys/resource.h>

#include <cerrno>
#include <csignal>
#include <ctime>

namespace autoreload {

/// While it lives, a write of this thread beyond RLIMIT_FSIZE fails with EFBIG. Without it the kernel sends SIGXFSZ as
/// well, whose default action ends the host. A file in memory counts like any other.
class quiet_file_limit {
 public:
  quiet_file_limit() noexcept {
    rlimit limit{};
    limited_ = getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur != RLIM_INFINITY;
    if (!limited_) return;  // as nearly everywhere: the rest would cost a microsecond
    sigemptyset(&signal_);
    sigaddset(&signal_, SIGXFSZ);
    sigset_t pending;
    sigpending(&pending);
    was_pending_ = sigismember(&pending, SIGXFSZ) == 1;
    pthread_sigmask(SIG_BLOCK, &signal_, &before_);
  }
  quiet_file_limit(const quiet_file_limit&) = delete;
  quiet_file_limit& operator=(const quiet_file_limit&) = delete;
  ~quiet_file_limit() {
    if (!limited_) return;
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
  bool limited_;
};

}  // namespace autoreload
