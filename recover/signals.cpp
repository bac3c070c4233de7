// SPDX-License-Identifier: MIT
// signals: the handlers that end guarded calls.
#include "recover/signals.hpp"

#include <signal.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <ucontext.h>
#include <unistd.h>
#include <unwind.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <ctime>
#include <mutex>

#include "recover/call_timer.hpp"
#include "recover/safe_functions.hpp"
#include "recover/way_out.hpp"
#include "system/earlier_action.hpp"
#include "system/loader_state.hpp"

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid  // NOLINT(bugprone-reserved-identifier)
#endif

namespace autoreload {
namespace {

using detail::call_ending;
using detail::landing;
using detail::landings;

constexpr std::array<int, 6> faults{SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT};

constinit std::mutex installing;
constinit std::array<earlier_action, faults.size()> before;
constinit std::atomic<bool> caught{false};
constinit std::atomic<int> timer_signal{0};

// Sent by this thread's own instructions, or by its own abort.
bool is_own(const incident& what) noexcept {
  if (what.signal == SIGABRT) return what.info->si_code == SI_TKILL && what.info->si_pid == ::getpid();
  if (what.signal == SIGBUS && what.info->si_code == BUS_MCEERR_AO) return false;  // of memory that nobody used yet
  return what.is_fault();
}

// The caller of a pointer that leads nowhere: there is no code, so unwinding has nothing to go by but that.
std::uintptr_t caller_of_nowhere(const incident& what) noexcept {
  if (what.link != 0) return what.link;
  std::uintptr_t caller = 0;
  const iovec into{&caller, sizeof caller};
  const iovec from{reinterpret_cast<void*>(what.stack), sizeof caller};
  // By the kernel, as the stack pointer may be anything.
  return ::process_vm_readv(::getpid(), &into, 1, &from, 1, 0) == sizeof caller ? caller : 0;
}

// When the handler runs, an instruction that traps is over here.
constexpr bool trap_is_past = this_machine == elf_machine::x86_64;

// As if the call of nowhere had returned at once.
void step_back(std::uintptr_t to, mcontext_t& machine) noexcept {
#if defined(__x86_64__)
  machine.gregs[REG_RIP] = static_cast<greg_t>(to);
  machine.gregs[REG_RSP] += 8;
#elif defined(__aarch64__)
  machine.pc = to;
#endif
}

// @return whether the thread goes on in the landing once the handler has returned
bool leave(landing& to, const incident& what, void* context) noexcept {
  mcontext_t& machine = static_cast<ucontext_t*>(context)->uc_mcontext;
  const mcontext_t as_it_was = machine;
  incident from = what;
  const bool nowhere = what.is_fault() && what.signal == SIGSEGV && what.address() == what.instruction;
  if (nowhere) {
    from.instruction = caller_of_nowhere(what);
    step_back(from.instruction, machine);
  }
  way_out way;
  if (may_be_ours(from.instruction)) way = find_way_out(from, to);
  machine = as_it_was;
  if (!way.open) return false;
  call_ending how;
  how.signal = what.signal;
  how.code = what.info->si_code;
  how.place = nowhere || (what.signal == SIGTRAP && trap_is_past) ? way.place - 1 : way.place;
  how.instruction = what.instruction;
  how.address = what.address();
  how.stack = what.stack;
  how.entry = way.entry;
  landings::go_on_there(to, how, context);
  return true;
}

void on_fault(int number, siginfo_t* info, void* context) noexcept {
  const int error_number = errno;
  const incident what = describe(number, info, context);
  landing* const here = landings::innermost();
  const bool left = here != nullptr && is_own(what) && leave(*here, what, context);
  errno = error_number;
  if (left) return;
  // What is past would not trap again under the default action.
  const bool comes_again = what.is_fault() && !(trap_is_past && number == SIGTRAP);
  before[static_cast<std::size_t>(std::find(faults.begin(), faults.end(), number) - faults.begin())].pass_on(
      number, info, context, comes_again);
}

// Where it can't be left now it may be a moment later: the timer comes again.
void on_timer(int number, siginfo_t* info, void* context) noexcept {
  const int error_number = errno;
  landing* const here = landings::innermost();
  bool newer = false;
  if (here != nullptr && info->si_code == SI_TIMER && info->si_value.sival_ptr == here &&
      landings::is_over(*here, newer)) {
    const incident what = describe(number, info, context);
    way_out way;
    if (may_be_ours(what.instruction)) way = find_way_out(what, *here);
    if (way.open) {
      call_ending how;
      how.place = way.place;
      how.instruction = what.instruction;
      how.entry = way.entry;
      how.newer = newer;
      landings::go_on_there(*here, how, context);
    }
  }
  errno = error_number;
}

[[gnu::noinline]] bool install() noexcept {
  const std::lock_guard lock(installing);
  if (caught.load(std::memory_order_relaxed)) return true;
  // The handlers stay for good, so a plugin that has this code must, too.
  keep_resident(reinterpret_cast<const void*>(&on_fault));
  look_safe_functions_up();
  // What is done once in a process is done now and not in a handler: the unwinder's first call may allocate.
  _Unwind_Backtrace([](_Unwind_Context*, void*) { return _URC_END_OF_STACK; }, nullptr);
  for (std::size_t i = 0; i < faults.size(); ++i) {
    if (!before[i].replace(faults[i], &on_fault)) return false;
  }
  caught.store(true, std::memory_order_release);
  return true;
}

}  // namespace

bool catch_faults() noexcept { return caught.load(std::memory_order_acquire) || install(); }

int catch_timer() noexcept {
  if (const int known = timer_signal.load(std::memory_order_acquire); known != 0) return known;
  const std::lock_guard lock(installing);
  if (const int known = timer_signal.load(std::memory_order_relaxed); known != 0) return known;
  for (int number = SIGRTMAX; number >= SIGRTMIN; --number) {
    struct sigaction now {};
    if (::sigaction(number, nullptr, &now) != 0 || now.sa_handler != SIG_DFL) continue;
    struct sigaction ours {};
    ours.sa_sigaction = on_timer;
    ours.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
    if (::sigaction(number, &ours, nullptr) != 0) continue;
    timer_signal.store(number, std::memory_order_release);
    return number;
  }
  return 0;
}

// By system calls: glibc has these in a library of their own until 2.34.
bool call_timer::start(landing* of, std::int64_t time, bool at_once) noexcept {
  constexpr std::int64_t second = 1'000'000'000;
  constexpr std::int64_t again = 10'000'000;
  const int number = catch_timer();
  if (number == 0) return false;
  sigset_t one;
  sigemptyset(&one);
  sigaddset(&one, number);
  pthread_sigmask(SIG_UNBLOCK, &one, nullptr);
  sigevent how{};
  how.sigev_notify = SIGEV_THREAD_ID;
  how.sigev_signo = number;
  how.sigev_value.sival_ptr = of;
  how.sigev_notify_thread_id = static_cast<pid_t>(::syscall(SYS_gettid));
  if (::syscall(SYS_timer_create, CLOCK_MONOTONIC, &how, &timer_) != 0) return false;
  const std::int64_t first = std::max<std::int64_t>(at_once ? std::min(time, again) : time, 1);
  itimerspec when{};
  when.it_value = {static_cast<time_t>(first / second), static_cast<long>(first % second)};
  when.it_interval = {0, static_cast<long>(again)};
  return ::syscall(SYS_timer_settime, timer_, 0, &when, nullptr) == 0;
}

call_timer::~call_timer() {
  if (timer_ >= 0) ::syscall(SYS_timer_delete, timer_);
}

}  // namespace autoreload
