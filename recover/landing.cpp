// SPDX-License-Identifier: MIT
// landing: calls the library from a frame to which a signal handler can lead back.
#include "recover/landing.hpp"

#include <pthread.h>
#include <ucontext.h>

#include <ctime>

#include "recover/alternate_stack.hpp"
#include "recover/call_timer.hpp"
#include "recover/signals.hpp"
#include "system/sanitizers.hpp"

// The frame that is led back to. It keeps what a function has to give back unchanged to its caller, and in which state
// of the floating-point unit. Written out, as no compiler expects a function to return twice from where it was called
// once; here it returns once, from one of two places.
#if defined(__x86_64__)
asm(R"(
  .pushsection .text.autoreload_run_guarded, "ax", @progbits
  .globl autoreload_run_guarded, autoreload_landed, autoreload_run_guarded_end
  .hidden autoreload_run_guarded, autoreload_landed, autoreload_run_guarded_end
  .type autoreload_run_guarded, @function
autoreload_run_guarded:               # rdi landing, rsi body, rdx argument
  .cfi_startproc
  endbr64
  push %rbp
  .cfi_adjust_cfa_offset 8
  .cfi_rel_offset rbp, 0
  push %rbx
  .cfi_adjust_cfa_offset 8
  .cfi_rel_offset rbx, 0
  push %r12
  .cfi_adjust_cfa_offset 8
  .cfi_rel_offset r12, 0
  push %r13
  .cfi_adjust_cfa_offset 8
  .cfi_rel_offset r13, 0
  push %r14
  .cfi_adjust_cfa_offset 8
  .cfi_rel_offset r14, 0
  push %r15
  .cfi_adjust_cfa_offset 8
  .cfi_rel_offset r15, 0
  sub $8, %rsp
  .cfi_adjust_cfa_offset 8
  stmxcsr (%rsp)
  fnstcw 4(%rsp)
  mov %rsp, (%rdi)
  mov %rdx, %rdi
  call *%rsi
  xor %eax, %eax
1:
  .cfi_remember_state
  add $8, %rsp
  .cfi_adjust_cfa_offset -8
  pop %r15
  .cfi_adjust_cfa_offset -8
  .cfi_restore r15
  pop %r14
  .cfi_adjust_cfa_offset -8
  .cfi_restore r14
  pop %r13
  .cfi_adjust_cfa_offset -8
  .cfi_restore r13
  pop %r12
  .cfi_adjust_cfa_offset -8
  .cfi_restore r12
  pop %rbx
  .cfi_adjust_cfa_offset -8
  .cfi_restore rbx
  pop %rbp
  .cfi_adjust_cfa_offset -8
  .cfi_restore rbp
  ret
autoreload_landed:                    # with the stack pointer that was kept
  .cfi_restore_state
  cld
  fninit
  fldcw 4(%rsp)
  ldmxcsr (%rsp)
  mov $1, %eax
  jmp 1b
autoreload_run_guarded_end:
  .cfi_endproc
  .size autoreload_run_guarded, . - autoreload_run_guarded
  .popsection
)");
#elif defined(__aarch64__)
asm(R"(
  .pushsection .text.autoreload_run_guarded, "ax", @progbits
  .globl autoreload_run_guarded, autoreload_landed, autoreload_run_guarded_end
  .hidden autoreload_run_guarded, autoreload_landed, autoreload_run_guarded_end
  .type autoreload_run_guarded, %function
autoreload_run_guarded:               // x0 landing, x1 body, x2 argument
  .cfi_startproc
  hint #34                            // a landing pad for indirect calls
  stp x29, x30, [sp, #-176]!
  .cfi_def_cfa_offset 176
  .cfi_offset x29, -176
  .cfi_offset x30, -168
  stp x19, x20, [sp, #16]
  .cfi_offset x19, -160
  .cfi_offset x20, -152
  stp x21, x22, [sp, #32]
  .cfi_offset x21, -144
  .cfi_offset x22, -136
  stp x23, x24, [sp, #48]
  .cfi_offset x23, -128
  .cfi_offset x24, -120
  stp x25, x26, [sp, #64]
  .cfi_offset x25, -112
  .cfi_offset x26, -104
  stp x27, x28, [sp, #80]
  .cfi_offset x27, -96
  .cfi_offset x28, -88
  stp d8, d9, [sp, #96]
  stp d10, d11, [sp, #112]
  stp d12, d13, [sp, #128]
  stp d14, d15, [sp, #144]
  .cfi_offset 72, -80
  .cfi_offset 73, -72
  .cfi_offset 74, -64
  .cfi_offset 75, -56
  .cfi_offset 76, -48
  .cfi_offset 77, -40
  .cfi_offset 78, -32
  .cfi_offset 79, -24
  mrs x9, fpcr
  str x9, [sp, #160]
  mov x29, sp
  mov x9, sp
  str x9, [x0]
  mov x0, x2
  blr x1
  mov w0, wzr
1:
  ldp d14, d15, [sp, #144]
  ldp d12, d13, [sp, #128]
  ldp d10, d11, [sp, #112]
  ldp d8, d9, [sp, #96]
  ldp x27, x28, [sp, #80]
  ldp x25, x26, [sp, #64]
  ldp x23, x24, [sp, #48]
  ldp x21, x22, [sp, #32]
  ldp x19, x20, [sp, #16]
  .cfi_remember_state
  ldp x29, x30, [sp], #176
  .cfi_def_cfa_offset 0
  .cfi_restore x29
  .cfi_restore x30
  ret
autoreload_landed:                    // with the stack pointer that was kept
  .cfi_restore_state
  ldr x9, [sp, #160]
  msr fpcr, x9
  mov w0, #1
  b 1b
autoreload_run_guarded_end:
  .cfi_endproc
  .size autoreload_run_guarded, . - autoreload_run_guarded
  .popsection
)");
#else
#error "guarded calls know x86-64 and aarch64"
#endif

extern "C" {
// 0: the body came back. 1: a handler led here.
int autoreload_run_guarded(autoreload::detail::landing* to, void (*body)(void*), void* argument);
void autoreload_landed();
void autoreload_run_guarded_end();
}

// The sanitizer's own function. Its header is not everywhere where the sanitizer is absent.
// NOLINTNEXTLINE(bugprone-reserved-identifier)
extern "C" void __asan_unpoison_memory_region(const volatile void* from, std::size_t size);

namespace autoreload::detail {
namespace {

// The address sanitizer marks what lies between a frame's variables. The frame takes the marks away when it returns.
void forget_frames(std::uintptr_t from, std::uintptr_t to) noexcept {
  if constexpr (address_sanitizer) {
    if (from < to) __asan_unpoison_memory_region(reinterpret_cast<const void*>(from), to - from);
  }
}

constinit thread_local landing* last_begun __attribute__((tls_model("initial-exec"))) = nullptr;

std::int64_t now() noexcept {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

}  // namespace

landing::outcome landing::run(void (*body)(void*), void* argument, const void* table, const published& current,
                              const call_limit& limit) {
  if (!catch_faults() || !have_alternate_stack()) return outcome::impossible;
  outer_ = last_begun;
  body_ = body;
  table_ = table;
  current_ = &current;
  limit_ = limit;
  const bool for_ever = limit.time == std::chrono::nanoseconds::max();
  call_timer timer;
  if (!for_ever || limit.or_newer_build) {
    const std::int64_t begun = now();
    const std::int64_t time = std::max<std::int64_t>(limit.time.count(), 0);
    deadline_ = time > INT64_MAX - begun ? INT64_MAX : begun + time;
    if (!timer.start(this, time, limit.or_newer_build)) return outcome::impossible;
  } else {
    deadline_ = INT64_MAX;
  }
  struct in_the_list {  // also when a host's callback throws
    landing* const mine;
    ~in_the_list() { last_begun = mine->outer_; }
  } const until_the_end{this};
  std::atomic_signal_fence(std::memory_order_release);
  last_begun = this;
  if (::autoreload_run_guarded(this, body, argument) == 0) return outcome::came_back;
  // A wait that was left may have let the thread be cancelled at any instruction for as long as it lasts.
  int ignored = 0;
  ::pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, &ignored);
  return outcome::ended;
}

landing* landings::innermost() noexcept { return last_begun; }

std::uintptr_t landings::stack(const landing& one) noexcept { return reinterpret_cast<std::uintptr_t>(one.stack_); }

std::uintptr_t landings::body(const landing& one) noexcept { return reinterpret_cast<std::uintptr_t>(one.body_); }

bool landings::is_over(const landing& one, bool& newer) noexcept {
  newer = one.limit_.or_newer_build && one.current_->confirmed.load(std::memory_order_relaxed) != one.table_;
  return newer || (one.deadline_ != INT64_MAX && now() >= one.deadline_);
}

bool landings::is_trampoline(std::uintptr_t address) noexcept {
  return address >= reinterpret_cast<std::uintptr_t>(&::autoreload_run_guarded) &&
         address < reinterpret_cast<std::uintptr_t>(&::autoreload_run_guarded_end);
}

void landings::go_on_there(landing& one, const call_ending& how, void* context) noexcept {
  one.ending_ = how;
  mcontext_t& machine = static_cast<ucontext_t*>(context)->uc_mcontext;
#if defined(__x86_64__)
  forget_frames(static_cast<std::uintptr_t>(machine.gregs[REG_RSP]), stack(one));
  machine.gregs[REG_RIP] = static_cast<greg_t>(reinterpret_cast<std::uintptr_t>(&::autoreload_landed));
  machine.gregs[REG_RSP] = static_cast<greg_t>(stack(one));
  constexpr greg_t trap_or_align_or_backwards = 0x100 | 0x40000 | 0x400;
  machine.gregs[REG_EFL] &= ~trap_or_align_or_backwards;
#elif defined(__aarch64__)
  forget_frames(machine.sp, stack(one));
  machine.pc = reinterpret_cast<std::uintptr_t>(&::autoreload_landed);
  machine.sp = stack(one);
#endif
}

}  // namespace autoreload::detail
