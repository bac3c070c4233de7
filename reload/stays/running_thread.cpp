// SPDX-License-Identifier: MIT
// running_thread: where a thread is that runs: its frames, as the unwinder finds them.
//
// The unwinder knows but one place to begin at: where it is called. From a signal's handler it goes on in what the
// signal interrupted, whose registers it finds in the handler's context. So the child raises a signal, writes the
// stopped thread's registers into that context, and is led along that thread's stack.
//
// SHARED  the errand: the child writes it while the caller sleeps. The thread's stack: nobody writes while it is
// stopped.
#include "reload/stays/running_thread.hpp"

#include <elf.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>
#include <unwind.h>

#include <cerrno>
#include <iterator>

#include "system/aside.hpp"
#include "system/sanitizers.hpp"
#include "system/traceable.hpp"

namespace autoreload {
namespace {

constexpr int time_limit = 1;  // seconds

struct errand {
  pid_t thread = 0;
  user_regs_struct registers{};
  bool begun = false;
  thread_frames found;
};

constinit thread_local errand* at_work = nullptr;  // the child has its parent's thread-local variables

std::uintptr_t instruction_of(const user_regs_struct& all) noexcept {
#if defined(__x86_64__)
  return all.rip;
#else
  return all.pc;
#endif
}

void put_into(mcontext_t& machine, const user_regs_struct& all) noexcept {
#if defined(__x86_64__)
  const auto set = [&](int which, unsigned long long value) { machine.gregs[which] = static_cast<greg_t>(value); };
  set(REG_RIP, all.rip);
  set(REG_RSP, all.rsp);
  set(REG_RAX, all.rax);
  set(REG_RBX, all.rbx);
  set(REG_RCX, all.rcx);
  set(REG_RDX, all.rdx);
  set(REG_RSI, all.rsi);
  set(REG_RDI, all.rdi);
  set(REG_RBP, all.rbp);
  set(REG_R8, all.r8);
  set(REG_R9, all.r9);
  set(REG_R10, all.r10);
  set(REG_R11, all.r11);
  set(REG_R12, all.r12);
  set(REG_R13, all.r13);
  set(REG_R14, all.r14);
  set(REG_R15, all.r15);
#else
  for (std::size_t i = 0; i < std::size(all.regs); ++i) machine.regs[i] = all.regs[i];
  machine.sp = all.sp;
  machine.pc = all.pc;
#endif
}

_Unwind_Reason_Code visit(_Unwind_Context* frame, void* argument) {
  errand& mine = *static_cast<errand*>(argument);
  int interrupted = 0;
  const std::uintptr_t instruction = _Unwind_GetIPInfo(frame, &interrupted);
  if (!mine.begun && instruction != instruction_of(mine.registers)) return _URC_NO_REASON;  // the handler's own
  const bool exact = !mine.begun || interrupted != 0;
  mine.begun = true;
  thread_frames& found = mine.found;
  if (found.count == found.places.size()) return _URC_END_OF_STACK;
  found.places[found.count++] = exact ? instruction : instruction - 1;  // the call, not what follows it
  return _URC_NO_REASON;
}

void walk(int, siginfo_t*, void* context) {
  put_into(static_cast<ucontext_t*>(context)->uc_mcontext, at_work->registers);
  _Unwind_Backtrace(visit, at_work);
  ::_exit(0);  // which lets the thread go on
}

[[noreturn]] void give_up(errand& mine) noexcept {
  mine.found.error = errno;
  ::_exit(0);
}

// In the child.
void look(void* argument) noexcept {
  errand& mine = *static_cast<errand*>(argument);
  const rlimit no_dump{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_dump);
  end_by_any_fault(time_limit);
  if (::ptrace(PTRACE_SEIZE, mine.thread, nullptr, nullptr) != 0) give_up(mine);
  if (::ptrace(PTRACE_INTERRUPT, mine.thread, nullptr, nullptr) != 0) give_up(mine);
  int status = 0;
  while (::waitpid(mine.thread, &status, __WALL) < 0) {
    if (errno != EINTR) give_up(mine);
  }
  if (!WIFSTOPPED(status)) ::_exit(0);
  // Stopped by a signal that is on its way, which has to be delivered: then another time.
  if (status >> 16 == 0) {
    ::ptrace(PTRACE_DETACH, mine.thread, nullptr, reinterpret_cast<void*>(static_cast<long>(WSTOPSIG(status))));
    ::_exit(0);
  }
  iovec into{&mine.registers, sizeof mine.registers};
  if (::ptrace(PTRACE_GETREGSET, mine.thread, NT_PRSTATUS, &into) != 0) give_up(mine);
  struct sigaction action {};
  action.sa_sigaction = &walk;
  action.sa_flags = SA_SIGINFO;
  ::sigaction(SIGUSR1, &action, nullptr);
  sigset_t open;
  sigemptyset(&open);
  sigaddset(&open, SIGUSR1);
  at_work = &mine;
  ::sigprocmask(SIG_UNBLOCK, &open, nullptr);
  ::syscall(SYS_tgkill, ::getpid(), ::syscall(SYS_gettid), SIGUSR1);
}

}  // namespace

thread_frames frames_of(pid_t thread) noexcept {
  if constexpr (address_sanitizer || thread_sanitizer) return {};
  // What is done once in a process is done now and not in the child: the unwinder's first call may allocate.
  _Unwind_Backtrace([](_Unwind_Context*, void*) { return _URC_END_OF_STACK; }, nullptr);
  errand mine;
  mine.thread = thread;
  const undisturbed meanwhile;
  const traceable by_a_child;
  const pid_t child = run_aside(look, &mine, 0);
  if (child <= 0) mine.found.error = -child;
  int status = 0;
  while (child > 0 && ::waitpid(child, &status, __WALL) < 0 && errno == EINTR) {
  }
  return mine.found;
}

}  // namespace autoreload
