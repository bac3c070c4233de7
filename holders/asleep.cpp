// SPDX-License-Identifier: MIT
// asleep: reads what /proc tells of a thread.
#include "holders/asleep.hpp"

#include <sys/syscall.h>

#include <charconv>
#include <string_view>

#include "holders/restarted_call.hpp"
#include "system/thread_files.hpp"

namespace autoreload::holding {
namespace {

std::uint64_t number_after(std::string_view text, std::string_view name) {
  const std::size_t at = text.find(name);
  std::uint64_t number = 0;
  if (at != std::string_view::npos) std::from_chars(text.data() + at + name.size(), text.data() + text.size(), number);
  return number;
}

}  // namespace

thread_position position_of(pid_t thread) {
  thread_position at;
  const std::string status = read_of_thread(thread, "status");
  const std::string call = read_of_thread(thread, "syscall");
  at.there = !status.empty();
  if (!at.there) return at;
  at.switches =
      number_after(status, "\nvoluntary_ctxt_switches:\t") + number_after(status, "\nnonvoluntary_ctxt_switches:\t");
  // A process that can't be dumped, as one that gave up root, may not read this of its own threads. And who ended just
  // now has none. Whoever wants to stop the thread finds out which.
  const std::optional<waiting_call> waits = call.empty() ? std::nullopt : call_in(call);
  if (!waits) {
    at.running = true;
    return at;
  }
  at.call = waits->number;
  at.arguments = waits->arguments;
  at.stack_pointer = waits->stack;
  return at;
}

bool may_be_stopped(const thread_position& at) noexcept {
  switch (at.call) {
    // The kernel keeps the time that is left, or there is none.
    case SYS_nanosleep:
    case SYS_clock_nanosleep:
    case SYS_ppoll:
    case SYS_pselect6:
    case SYS_wait4:
    case SYS_waitid:
#ifdef SYS_poll
    case SYS_poll:
    case SYS_select:
#endif
      return true;
    case SYS_futex: {
      const std::uint64_t operation = at.arguments[1] & 0x7f;
      return operation == 0 || operation == 9;  // FUTEX_WAIT, FUTEX_WAIT_BITSET
    }
#ifdef SYS_epoll_wait
    case SYS_epoll_wait:
#endif
    case SYS_epoll_pwait: return can_begin_again(at.call) && static_cast<int>(at.arguments[3]) == -1;
    case SYS_rt_sigtimedwait: return can_begin_again(at.call) && at.arguments[2] == 0;
    default: return can_begin_again(at.call);
  }
}

}  // namespace autoreload::holding
