// SPDX-License-Identifier: MIT
// aside: runs a function in a child process that borrows this process's memory, while the calling thread sleeps.
#include "system/aside.hpp"

#include <pthread.h>
#include <sched.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <initializer_list>

#include "system/sanitizers.hpp"

// clone() of the C library wants a stack of its own for the child; on a new stack no unwinder would find the way back
// to the caller's frames. On the caller's stack the child may not return from the function that made it (its frame
// would be overwritten under the sleeping caller), so that function is written out here: the child calls on and never
// returns.
#if defined(__x86_64__)
asm(R"(
  .pushsection .text.autoreload_run_aside, "ax", @progbits
  .globl autoreload_run_aside
  .hidden autoreload_run_aside
  .type autoreload_run_aside, @function
autoreload_run_aside:                 # rdi work, rsi argument, rdx flags
  .cfi_startproc
  endbr64
  mov %rdi, %r8
  mov %rsi, %r9
  mov %rdx, %rdi
  xor %esi, %esi                      # no stack: go on with this one
  xor %edx, %edx
  xor %r10d, %r10d
  mov $56, %eax                       # clone
  syscall
  test %rax, %rax
  jnz 1f
  sub $8, %rsp
  .cfi_adjust_cfa_offset 8
  mov %r9, %rdi
  call *%r8
  xor %edi, %edi
  mov $231, %eax                      # exit_group
  syscall
  hlt
1:
  .cfi_def_cfa_offset 8
  ret
  .cfi_endproc
  .size autoreload_run_aside, . - autoreload_run_aside
  .popsection
)");
#elif defined(__aarch64__)
asm(R"(
  .pushsection .text.autoreload_run_aside, "ax", @progbits
  .globl autoreload_run_aside
  .hidden autoreload_run_aside
  .type autoreload_run_aside, %function
autoreload_run_aside:                 // x0 work, x1 argument, x2 flags
  .cfi_startproc
  hint #34                            // a landing pad for indirect calls
  stp x29, x30, [sp, #-16]!
  .cfi_def_cfa_offset 16
  .cfi_offset x29, -16
  .cfi_offset x30, -8
  mov x29, sp
  mov x9, x0
  mov x10, x1
  mov x0, x2
  mov x1, xzr                         // no stack: go on with this one
  mov x2, xzr
  mov x3, xzr
  mov x4, xzr
  mov x8, #220                        // clone
  svc #0
  cbnz x0, 1f
  mov x0, x10
  blr x9
  mov x0, xzr
  mov x8, #94                         // exit_group
  svc #0
  brk #1
1:
  ldp x29, x30, [sp], #16
  .cfi_def_cfa_offset 0
  .cfi_restore x29
  .cfi_restore x30
  ret
  .cfi_endproc
  .size autoreload_run_aside, . - autoreload_run_aside
  .popsection
)");
#endif

extern "C" long autoreload_run_aside(void (*work)(void*) noexcept, void* argument, unsigned long flags) noexcept;

namespace autoreload {

pid_t run_aside(void (*work)(void*) noexcept, void* argument, int death_signal) noexcept {
  // Only through its own fork does the thread sanitizer come to the child with its locks free.
  if constexpr (thread_sanitizer) {
    const pid_t child = ::fork();
    if (child != 0) return child > 0 ? child : -errno;
    work(argument);
    ::_exit(0);
  }
#if defined(__x86_64__) || defined(__aarch64__)
  constexpr unsigned long how = (address_sanitizer ? 0UL : CLONE_VM) | CLONE_VFORK;
  const long child = autoreload_run_aside(work, argument, how | static_cast<unsigned long>(death_signal));
  // qemu's emulation of user programs makes no child that raises no signal, and each has a copy of the memory.
  if (child == -EINVAL && death_signal == 0)
    return static_cast<pid_t>(autoreload_run_aside(work, argument, how | SIGCHLD));
  return static_cast<pid_t>(child);
#else
  (void)work, (void)argument, (void)death_signal;
  return -ENOSYS;
#endif
}

void end_by_any_fault(int seconds) noexcept {
  struct sigaction action {};
  action.sa_handler = [](int) { ::_exit(1); };
  sigset_t open;
  sigemptyset(&open);
  for (const int number : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGALRM}) {
    ::sigaction(number, &action, nullptr);
    sigaddset(&open, number);
  }
  ::sigprocmask(SIG_UNBLOCK, &open, nullptr);
  itimerval limit{};
  limit.it_value.tv_sec = seconds;
  ::setitimer(ITIMER_REAL, &limit, nullptr);
}

undisturbed::undisturbed() noexcept {
  // The two signals that the C library keeps for itself stay open; they are sent to threads by number, and the child
  // has another number than the thread that sleeps. Cancellation is a flag in memory, which a child would obey.
  sigset_t all;
  sigfillset(&all);
  sigdelset(&all, SIGSYS);  // a sandbox may answer system calls by it; blocked, it would end the process
  pthread_sigmask(SIG_SETMASK, &all, &signals_);
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancellation_);
}

undisturbed::~undisturbed() {
  pthread_setcancelstate(cancellation_, nullptr);
  pthread_sigmask(SIG_SETMASK, &signals_, nullptr);
}

}  // namespace autoreload
