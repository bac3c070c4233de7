// SPDX-License-Identifier: MIT
// aside: runs a function in a child process that borrows this process's memory, while the calling thread sleeps.
//
// SHARED  - all memory: the child is this thread under another process number, on the same stack and with the same
//           errno. Other threads run on. No memory order is needed between child and caller: the kernel wakes the one
//           after the other has ended. Under a sanitizer, whose bookkeeping a second process would upset, and under
//           valgrind, the child has a copy instead: what has to come back goes through memory that is mapped as shared.
//         - not descriptors, signal dispositions, timers or limits: those the child may change at will.
#pragma once

#include <signal.h>
#include <sys/types.h>

namespace autoreload {

/// Starts a child that calls `work(argument)` and, should that return, ends with status 0. Comes back when the child
/// has ended or become another program. What vfork is, but as a call, and with a choice of signal: a child whose signal
/// is 0 raises no SIGCHLD, and no wait() of the host's sees it, only waitpid(pid, …, __WALL). (exec makes it SIGCHLD
/// again.) Under the thread sanitizer it is a plain fork: the child runs beside the caller, and its signal is SIGCHLD.
/// (Under qemu's user mode it is, too, and has a copy of the memory.)
///
/// `work` must not throw, and must not take a lock that the caller's thread may hold. Keep an `undisturbed` around the
/// call, or the host's signal handlers run in the child. A thread that sleeps here answers no signal but SIGKILL.
///
/// Cost: independent of the size of the host, about 30 µs.
/// @param death_signal  what the kernel sends to this process when the child ends; 0 for nothing
/// @return the child's process number, to be waited for, or a negative errno
/// Async-signal-safe. Any thread.
[[nodiscard]] pid_t run_aside(void (*work)(void*) noexcept, void* argument, int death_signal) noexcept;

/// In a child of run_aside: whatever goes wrong from here on ends it with status 1, and so does the time limit.
/// Async-signal-safe.
void end_by_any_fault(int seconds) noexcept;

/// Blocks every signal of this thread but SIGSYS, and its cancellation, for its own lifetime: what has to be around
/// run_aside. Async-signal-safe.
class undisturbed {
 public:
  undisturbed() noexcept;
  ~undisturbed();
  undisturbed(const undisturbed&) = delete;
  undisturbed& operator=(const undisturbed&) = delete;

 private:
  sigset_t signals_;
  int cancellation_;
};

}  // namespace autoreload
