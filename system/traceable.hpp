// SPDX-License-Identifier: MIT
// traceable: lets a child stop this process's threads, where a security module would not.
#pragma once

#include <fcntl.h>
#include <sys/prctl.h>
#include <unistd.h>

namespace autoreload {

/// Yama's setting 1 lets only a process's ancestors trace it, unless the process itself allows others: so for the
/// lifetime of this anybody may who could without Yama. Not for two at a time: the first that ends takes it back.
class traceable {
 public:
  traceable() noexcept : asked_(only_ancestors_may_trace()) {
    if (asked_) ::prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
  }
  traceable(const traceable&) = delete;
  traceable& operator=(const traceable&) = delete;
  ~traceable() {
    if (asked_) ::prctl(PR_SET_PTRACER, 0, 0, 0, 0);
  }

 private:
  static bool only_ancestors_may_trace() noexcept {
    const int file = ::open("/proc/sys/kernel/yama/ptrace_scope", O_RDONLY | O_CLOEXEC);
    if (file < 0) return false;
    char digit = 0;
    const bool one = ::read(file, &digit, 1) == 1 && digit == '1';
    ::close(file);
    return one;
  }

  const bool asked_;
};

}  // namespace autoreload
