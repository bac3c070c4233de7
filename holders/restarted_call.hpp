// SPDX-License-Identifier: MIT
// restarted_call: the system calls that a search makes begin again when it interrupted them.
#pragma once

#include <sys/syscall.h>

namespace autoreload::holding {

/// Whether a call that answers EINTR has done nothing then, and may wait without a limit: where it does, it can begin
/// again unnoticed. On x86-64 alone; tracer.cpp knows no other machine's registers. Async-signal-safe.
[[nodiscard]] constexpr bool can_begin_again([[maybe_unused]] long call) noexcept {
#ifdef __x86_64__
  switch (call) {
    case SYS_epoll_wait:
    case SYS_epoll_pwait:
    case SYS_rt_sigtimedwait:
    case SYS_semop:
    case SYS_read:
    case SYS_readv:
    case SYS_recvfrom:
    case SYS_recvmsg:
    case SYS_accept:
    case SYS_accept4: return true;
    default: return false;
  }
#else
  return false;
#endif
}

}  // namespace autoreload::holding
