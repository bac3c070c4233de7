// SPDX-License-Identifier: MIT
// file_limit: lets a write beyond the process's file size limit fail instead of ending the process.
#pragma once

#include <sys/resource.h>

#include <csignal>
#include <optional>

#include "system/held_signal.hpp"

namespace autoreload {

/// While it lives, a write of this thread beyond RLIMIT_FSIZE fails with EFBIG. Without it the kernel sends SIGXFSZ as
/// well, whose default action ends the host. A file in memory counts like any other.
class quiet_file_limit {
 public:
  quiet_file_limit() noexcept {
    rlimit limit{};
    const bool limited = getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur != RLIM_INFINITY;
    if (limited) held_.emplace(SIGXFSZ);  // nearly nowhere: it would cost a microsecond
  }

 private:
  std::optional<held_signal> held_;
};

}  // namespace autoreload
