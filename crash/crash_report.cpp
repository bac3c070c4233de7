// SPDX-License-Identifier: MIT
// crash_report: says which reloaded function crashed the program, and then lets it crash as it would have.
//
// DESIGN  The handler itself only looks at the table of generations. If the crash may be theirs, it starts a child that
//         borrows this thread's memory and stack (see aside.hpp), unwinds the stack, reads symbols and lines and writes
//         the report, while the thread sleeps. Whatever the child meets on the way (a damaged stack, a damaged file, an
//         endless loop), it alone ends. Then the handler passes the signal on.
//
// SHARED  - the table of generations: see crash_table.hpp.
//         - `before` and `settings`: written by install and by the destructor, while handlers that use them may run.
//           They are published by the sigaction call that makes the handler reachable, and by `active` (release,
//           acquire).
//         - `reporter`: the thread whose report is being made, the only one whose report is worded. Taken by
//           compare-exchange (acquire), given back by a release store.
#include <autoreload/crash_report.hpp>

#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unwind.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <mutex>

#include "crash/crash_table.hpp"
#include "crash/crash_text.hpp"
#include "crash/culprit.hpp"
#include "system/aside.hpp"

namespace autoreload {
namespace {

constexpr std::array<int, 5> signals{SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
constexpr int most_reports = 16;
constexpr int time_limit = 3;  // seconds

struct previous {
  struct sigaction action {};
  std::atomic<bool> spent{false};  // it asked for one call only (SA_RESETHAND) and has had it
  bool installed = false;          // also when somebody's handler stands on top of ours, which then can't be taken away
};

constinit std::mutex installing;  // guards the next two; no handler takes it
constinit std::array<previous, signals.size()> before;
constinit crash_report_options settings;

constinit std::atomic<bool> active{false};
constinit std::atomic<pid_t> reporter{0};
constinit std::atomic<int> reports_left{most_reports};

std::size_t index_of(int number) noexcept {
  return static_cast<std::size_t>(std::find(signals.begin(), signals.end(), number) - signals.begin());
}

void give_up(int) noexcept { ::_exit(1); }

// The child: whatever goes wrong from here on ends it and nobody else.
void tell(void* argument) noexcept {
  struct sigaction action {};
  action.sa_handler = give_up;
  sigset_t open;
  sigemptyset(&open);
  for (const int number : signals) {
    ::sigaction(number, &action, nullptr);
    sigaddset(&open, number);
  }
  ::sigaction(SIGALRM, &action, nullptr);
  sigaddset(&open, SIGALRM);
  ::sigprocmask(SIG_UNBLOCK, &open, nullptr);
  itimerval limit{};
  limit.it_value.tv_sec = time_limit;
  ::setitimer(ITIMER_REAL, &limit, nullptr);

  const incident& what = *static_cast<const incident*>(argument);
  const finding found = investigate(what);
  if (found.is != relation::none) {
    tell_of(what, found, settings.source_lines, settings.descriptor);
  }
  ::_exit(found.is != relation::none ? 0 : 2);
}

void report(incident& what) noexcept {
  const auto self = static_cast<pid_t>(::syscall(SYS_gettid));
  // Another thread that crashes at the same time waits for its turn: its default action would end the first one's
  // report.
  for (int attempt = 0;; ++attempt) {
    pid_t nobody = 0;
    if (reporter.compare_exchange_strong(nobody, self, std::memory_order_acquire)) break;
    if (nobody == self || attempt > time_limit * 100) return;
    const timespec pause{0, 10'000'000};
    ::nanosleep(&pause, nullptr);
  }
  if (reports_left.load(std::memory_order_relaxed) > 0) {
    const undisturbed whole_report;
    const pid_t child = run_aside(tell, &what, 0);
    int status = 0;
    if (child > 0) {
      while (::waitpid(child, &status, __WALL) < 0 && errno == EINTR) {
      }
      if (WIFEXITED(status) && WEXITSTATUS(status) == 0) reports_left.fetch_sub(1, std::memory_order_relaxed);
    }
  }
  reporter.store(0, std::memory_order_release);
}

// Does what would have been done without us.
void pass_on(const incident& what, siginfo_t* info, void* context) noexcept {
  previous& earlier = before[index_of(what.signal)];
  const struct sigaction& action = earlier.action;
  const bool once = (static_cast<unsigned>(action.sa_flags) & static_cast<unsigned>(SA_RESETHAND)) != 0;
  const bool spent = once && earlier.spent.exchange(true, std::memory_order_relaxed);
  const bool informed = (action.sa_flags & SA_SIGINFO) != 0;
  if (!spent && informed) return action.sa_sigaction(what.signal, info, context);
  if (!spent && action.sa_handler == SIG_IGN && !what.is_fault()) return;
  if (!spent && action.sa_handler != SIG_DFL && action.sa_handler != SIG_IGN) return action.sa_handler(what.signal);
  // A fault happens again as soon as the handler returns, and then meets the default action. A signal that was sent
  // does not, and is sent again, to be delivered when the handler has returned.
  struct sigaction standard {};
  standard.sa_handler = SIG_DFL;
  ::sigaction(what.signal, &standard, nullptr);
  if (!what.is_fault()) ::syscall(SYS_rt_tgsigqueueinfo, ::getpid(), ::syscall(SYS_gettid), what.signal, info);
}

void on_signal(int number, siginfo_t* info, void* context) noexcept {
  const int error_number = errno;
  incident what = describe(number, info, context);
  if (active.load(std::memory_order_acquire) && may_concern_a_generation(what)) report(what);
  errno = error_number;
  pass_on(what, info, context);
}

bool install_handler(std::size_t i) {
  if (before[i].installed) return true;  // still in the chain
  struct sigaction now {};
  if (::sigaction(signals[i], nullptr, &now) != 0) return false;
  before[i].action = now;
  before[i].spent.store(false, std::memory_order_relaxed);
  struct sigaction ours {};
  ours.sa_sigaction = on_signal;
  ours.sa_mask = now.sa_mask;
  ours.sa_flags = SA_SIGINFO | SA_ONSTACK | (now.sa_flags & (SA_NODEFER | SA_RESTART));
  before[i].installed = ::sigaction(signals[i], &ours, nullptr) == 0;
  return before[i].installed;
}

void remove_handlers() {
  active.store(false, std::memory_order_release);
  crash_table::keep_snapshots(false);
  for (std::size_t i = 0; i < signals.size(); ++i) {
    struct sigaction now {};
    if (!before[i].installed || ::sigaction(signals[i], nullptr, &now) != 0) continue;
    const bool on_top = (now.sa_flags & SA_SIGINFO) != 0 && now.sa_sigaction == &on_signal;
    if (on_top) before[i].installed = ::sigaction(signals[i], &before[i].action, nullptr) != 0;
  }
}

}  // namespace

result<crash_report> install_crash_report(const crash_report_options& options) {
  const std::lock_guard lock(installing);
  if (active.load(std::memory_order_relaxed)) {
    return error(stage::use, {}, "crash reports are installed already")
        .advise("keep the one guard that install_crash_report returned, for all engines");
  }
  if (::fcntl(options.descriptor, F_GETFD) < 0) {
    return error(stage::use, {}, "descriptor " + std::to_string(options.descriptor) + " for crash reports is not open")
        .advise("give crash_report_options::descriptor one that is open, and keep it so");
  }
  settings = options;
  remember_program_code();
  // What is done once in a process is done now and not in a handler: the unwinder's first call may allocate.
  _Unwind_Backtrace([](_Unwind_Context*, void*) { return _URC_END_OF_STACK; }, nullptr);
  crash_table::keep_snapshots(true);
  active.store(true, std::memory_order_release);
  for (std::size_t i = 0; i < signals.size(); ++i) {
    if (install_handler(i)) continue;
    const int cause = errno;
    remove_handlers();
    return error(stage::use, {}, "no signal handler can be installed").system(std::strerror(cause));
  }
  return crash_report();
}

crash_report::~crash_report() {
  if (!active_) return;
  const std::lock_guard lock(installing);
  remove_handlers();
}

}  // namespace autoreload
