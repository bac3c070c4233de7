// SPDX-License-Identifier: MIT
// supervisor: starts the helper, keeps the time, and ends what is left of it.
#include "trial/supervisor.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>

#include "system/aside.hpp"

#ifndef AT_EMPTY_PATH
#define AT_EMPTY_PATH 0x1000
#endif

namespace autoreload {
namespace {

using clock = std::chrono::steady_clock;

void limit(auto resource, rlim_t value) noexcept {  // a library cannot raise it again
  rlimit now{};
  if (::getrlimit(resource, &now) != 0) return;
  now.rlim_cur = now.rlim_max = std::min(value, now.rlim_max);
  ::setrlimit(resource, &now);
}

const char* descriptor_name(std::array<char, 32>& text, int number) noexcept {
  std::snprintf(text.data(), text.size(), "/proc/self/fd/%d", number);
  return text.data();
}

// The helper's process, until it is the helper.
void become_helper(void* argument) noexcept {
  const trial_job& work = *static_cast<trial_job*>(argument);
  ::setsid();  // no terminal to hang on, and a group of its own to be killed by
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != work.supervisor) ::_exit(1);
  limit(RLIMIT_CORE, 0);
  limit(RLIMIT_CPU, work.cpu_seconds);
  limit(RLIMIT_DATA, work.memory);
  ::dup2(work.null, STDIN_FILENO);
  ::dup2(work.null, STDOUT_FILENO);
  ::dup2(work.output, STDERR_FILENO);
  ::fcntl(work.report_file, F_SETFD, 0);
  ::fcntl(work.library, F_SETFD, 0);
  struct sigaction standard {};
  standard.sa_handler = SIG_DFL;
  for (int number = 1; number < NSIG; ++number) ::sigaction(number, &standard, nullptr);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::syscall(SYS_execveat, work.helper, "", work.arguments, work.environment, AT_EMPTY_PATH);
  const int cause = errno;
  std::array<char, 32> name{};  // valgrind and some filters of system calls only know execve
  ::execve(descriptor_name(name, work.helper), work.arguments, work.environment);
  work.report->start_error = cause;
  ::_exit(1);
}

// The host may close a file, and somebody may wait for that: the supervisor must not hold it open.
void close_all_but(std::array<int, 4> kept) noexcept {
#ifdef SYS_close_range
  std::sort(kept.begin(), kept.end());
  unsigned from = STDERR_FILENO + 1;
  for (const int descriptor : kept) {
    if (descriptor < static_cast<int>(from)) continue;
    const auto number = static_cast<unsigned>(descriptor);
    if (number > from) ::syscall(SYS_close_range, from, number - 1, 0);
    from = number + 1;
  }
  ::syscall(SYS_close_range, from, ~0U, 0);
#else
  (void)kept;
#endif
}

// Some of it: whoever writes all the time must not keep the deadline from being looked at.
void collect(int pipe, trial_report& report) noexcept {
  std::array<char, 512> piece;
  for (int pieces = 0; pieces < 128; ++pieces) {
    const ssize_t size = ::read(pipe, piece.data(), piece.size());
    if (size <= 0) return;
    for (ssize_t i = 0; i < size; ++i) {
      report.output[report.output_size++ % trial_text_size] = piece[static_cast<std::size_t>(i)];
    }
  }
}

int milliseconds_until(clock::time_point then) noexcept {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(then - clock::now()).count();
  return static_cast<int>(std::clamp<long>(left, 0, 1000 * 1000));
}

bool has_ended(pid_t helper) noexcept {  // and leaves it to be reaped, so that its number still is its session's
  siginfo_t info{};
  return ::waitid(P_PID, static_cast<id_t>(helper), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == helper;
}

}  // namespace

void supervise_trial(void* argument) noexcept {
  trial_job& work = *static_cast<trial_job*>(argument);
  trial_report& report = *work.report;
  report.start_error = ECHILD;  // in case of an early end
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != work.host) ::_exit(1);
  work.supervisor = ::getpid();

  struct sigaction standard {};
  standard.sa_handler = SIG_DFL;  // ignored, the signal would reap the helper unseen
  standard.sa_flags = SA_NOCLDSTOP;
  ::sigaction(SIGCHLD, &standard, nullptr);
  close_all_but({work.report_file, work.library, work.helper, work.cancel});
  do {  // the host may have closed its own streams: then these files take their numbers
    work.null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  } while (work.null >= 0 && work.null <= STDERR_FILENO);

  // A descriptor for reading only: a constructor that closes or overwrites files by number can't change the snapshot.
  std::array<char, 32> name{};
  const int read_only = ::open(descriptor_name(name, work.library), O_RDONLY | O_CLOEXEC);
  if (read_only >= 0) {
    ::dup3(read_only, work.library, O_CLOEXEC);
    ::close(read_only);
  }
  sigset_t child;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  const int changes = ::signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
  std::array<int, 2> pipe{-1, -1};
  if (changes < 0 || work.null < 0 || ::pipe2(pipe.data(), O_CLOEXEC | O_NONBLOCK) != 0) {
    report.start_error = errno;
    ::_exit(1);
  }
  work.output = pipe[1];
  report.start_error = 0;
  const pid_t helper = run_aside(become_helper, &work, SIGCHLD);
  if (helper < 0) report.start_error = -helper;
  if (helper < 0) ::_exit(1);
  ::close(pipe[1]);

  while (true) {
    std::array<pollfd, 3> watched{{{changes, POLLIN, 0}, {pipe[0], POLLIN, 0}, {work.cancel, POLLIN, 0}}};
    ::poll(watched.data(), watched.size(), milliseconds_until(work.deadline));
    if (watched[1].revents != 0) collect(pipe[0], report);
    if ((watched[1].revents & POLLHUP) != 0) pipe[0] = -pipe[0];  // it closed its standard error: poll skips negatives
    if (has_ended(helper)) {
      report.ended = 1;
      break;
    }
    report.cancelled = watched[2].revents != 0;
    report.overdue = clock::now() >= work.deadline;
    if (report.cancelled != 0 || report.overdue != 0) break;
  }
  ::kill(-helper, SIGKILL);
  ::kill(helper, SIGKILL);
  // Killed, it is gone at once, unless it waits for a device or a dead server: then it is left to the kernel.
  pollfd last{changes, POLLIN, 0};
  const clock::time_point patience = clock::now() + std::chrono::seconds(1);
  while (!has_ended(helper) && clock::now() < patience) ::poll(&last, 1, 10);
  ::waitpid(helper, &report.status, WNOHANG);
  collect(pipe[0] < 0 ? -pipe[0] : pipe[0], report);
  ::_exit(0);
}

}  // namespace autoreload
