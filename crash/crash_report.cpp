// SPDX-License-Identifier: MIT
// crash_report: says which reloaded function crashed the program, and then lets it crash as it would have.
//
// DESIGN  The handler itself only looks at the table of generations. If the crash may be theirs, it starts a child that
//         borrows this thread's memory and stack (see aside.hpp), unwinds the stack, reads symbols and lines and writes
//         the report, while the thread sleeps. Whatever the child meets on the way (a damaged stack, a damaged file, an
//         endless loop), it alone ends. Then the handler passes the signal on.
//
// SHARED  - the table of generations: see crash_table.hpp.
//         - `before` (see earlier_action.hpp) and `settings`: written by install and by the destructor, while handlers
//         that use them may run.
//           They are published by the sigaction call that makes the handler reachable, and by `active` (release,
//           acquire).
//         - `reporter`: the thread whose report is being made, the only one whose report is worded. Taken by
//           compare-exchange (acquire), given back by a release store.
#include <autoreload/crash_report.hpp>

#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
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
#include "system/earlier_action.hpp"

namespace autoreload {
namespace {

constexpr std::array<int, 5> signals{SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
constexpr int most_reports = 16;
constexpr int time_limit = 3;  // seconds

constinit std::mutex installing;  // guards the next two; no handler takes it
constinit std::array<earlier_action, signals.size()> before;
constinit crash_report_options settings;

constinit std::atomic<bool> active{false};
constinit std::atomic<pid_t> reporter{0};
constinit std::atomic<int> reports_left{most_reports};

std::size_t index_of(int number) noexcept {
  return static_cast<std::size_t>(std::find(signals.begin(), signals.end(), number) - signals.begin());
}

// The child: whatever goes wrong in it ends it and nobody else.
void tell(void* argument) noexcept {
  end_by_any_fault(time_limit);
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

void on_signal(int number, siginfo_t* info, void* context) noexcept {
  const int error_number = errno;
  incident what = describe(number, info, context);
  if (active.load(std::memory_order_acquire) && may_concern_a_generation(what)) report(what);
  errno = error_number;
  before[index_of(number)].pass_on(number, info, context, what.is_fault());
}

void remove_handlers() {
  active.store(false, std::memory_order_release);
  crash_table::keep_snapshots(false);
  for (std::size_t i = 0; i < signals.size(); ++i) before[i].restore(signals[i], &on_signal);
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
    if (before[i].replace(signals[i], &on_signal)) continue;
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
