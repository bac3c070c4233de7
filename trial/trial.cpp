// SPDX-License-Identifier: MIT
// trial: loads a snapshot in a helper process first.
//
// DESIGN  host thread ──run_aside──▶ supervisor ──run_aside, exec──▶ helper
//
// The helper must be somebody's child, or nobody learns how it ended. As the host's own child it would raise the host's
// SIGCHLD and be found by its wait(). So a supervisor stands between: a process without memory of its own, whose end
// raises no signal and which no ordinary wait() sees. It runs on the sleeping thread's stack, keeps the time, collects
// the helper's standard error, reaps it and kills what it leaves behind. It dies with the host's thread, and the helper
// dies with it.
//
// SHARED  - struct trial_report, a page shared by all three: see trial/report.h.
//         - the helper's file, one for all engines, made at the first trial: see embedded_helper().
//         - everything that the supervisor is given was prepared before it starts; it allocates nothing.
#include "trial/trial.hpp"

#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <string_view>

#include "../trial/report.h"
#include "reload/snapshot/snapshot.hpp"
#include "system/aside.hpp"
#include "system/file_limit.hpp"
#include "system/signal_name.hpp"
#include "system/unique_fd.hpp"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif
#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif
#ifndef AT_EMPTY_PATH
#define AT_EMPTY_PATH 0x1000
#endif

namespace autoreload {

extern const unsigned long trial_helper_size;  // made by trial/embed.py
extern const unsigned char trial_helper[];

namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

// Everything the two processes need, as plain as they need it.
struct job {
  trial_report* report;
  int report_file;
  int library;
  int helper;
  int cancel;
  pid_t host;
  clock::time_point deadline;
  rlim_t cpu_seconds;
  rlim_t memory;
  char* const* arguments;
  char* const* environment;

  pid_t supervisor;  // from here on the supervisor's own
  int null;
  int output;
};

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
  const job& work = *static_cast<job*>(argument);
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

void collect(int pipe, trial_report& report) noexcept {
  std::array<char, 512> piece;
  while (true) {
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

void supervise(void* argument) noexcept {
  job& work = *static_cast<job*>(argument);
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

// Descriptors 0 to 2 are the helper's own streams.
int above_streams(int file) { return file > STDERR_FILENO ? file : ::fcntl(file, F_DUPFD_CLOEXEC, STDERR_FILENO + 1); }

unique_fd memory_file(const char* name, unsigned kind) {
  int file = ::memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | kind);
  if (file < 0 && errno == EINVAL) file = ::memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);  // an older kernel
  unique_fd made(file);
  if (!made || file > STDERR_FILENO) return made;
  return unique_fd(above_streams(file));
}

// Guards the next function's statics, and is held across fork: an engine in the child may try a library, too.
std::mutex& helper_mutex() {
  static auto* const one = [] {
    auto* const made = new std::mutex;
    ::pthread_atfork([] { helper_mutex().lock(); }, [] { helper_mutex().unlock(); }, [] { helper_mutex().unlock(); });
    return made;
  }();
  return *one;
}

// The embedded helper as a file that can be executed; made once, for it never changes. A host that closes all
// descriptors (to become a daemon, say) closes this one too, and another file may get its number: then it is made
// again.
result<int> embedded_helper() {
  static int kept = -1;
  static struct stat identity {};
  const std::lock_guard lock(helper_mutex());
  struct stat now {};
  if (kept >= 0 && ::fstat(kept, &now) == 0 && now.st_dev == identity.st_dev && now.st_ino == identity.st_ino)
    return kept;

  unique_fd file = memory_file("autoreload-trial", MFD_EXEC);
  bool written = static_cast<bool>(file);
  for (std::size_t done = 0; written && done < trial_helper_size;) {
    const ssize_t size = ::write(file.get(), trial_helper + done, trial_helper_size - done);
    if (size < 0 && errno == EINTR) continue;
    written = size > 0;
    done += written ? static_cast<std::size_t>(size) : 0;
  }
  // Stays open as long as the process.
  const int stays = written ? ::fcntl(file.get(), F_DUPFD_CLOEXEC, STDERR_FILENO + 1) : -1;
  if (stays < 0 || ::fstat(stays, &identity) != 0) {
    const int cause = errno;
    error failure(stage::trial, {}, "the trial helper can't be made in memory");
    failure.system(std::strerror(cause))
        .advise(cause == EACCES
                    ? "vm.memfd_noexec=2 forbids executables in memory: install the helper and name it by the "
                      "environment variable AUTORELOAD_TRIAL_HELPER, or switch the trial load off"
                    : "switch the trial load off, or free the resource");
    errno = cause;
    return failure;
  }
  ::fcntl(stays, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
  return kept = stays;
}

const char* other_helper() {
  const char* const name = ::secure_getenv("AUTORELOAD_TRIAL_HELPER");
  return name != nullptr && *name != '\0' ? name : nullptr;
}

// The shared library that defines a name for the whole process, or empty.
std::string library_of(const char* name) {
  void* const found = ::dlsym(RTLD_DEFAULT, name);
  Dl_info info{};
  if (found == nullptr || ::dladdr(found, &info) == 0 || info.dli_fname == nullptr) return {};
  const std::string file = info.dli_fname;
  return file.find(".so") != std::string::npos ? file : "";
}

// A library built with a sanitizer needs its runtime from the start of the program. When the host has it as a shared
// library, so must the helper, or it would refuse what the host can load. The runtime in turn needs the C++ library
// early.
struct sanitizer {
  bool present = ::dlsym(RTLD_DEFAULT, "__asan_init") != nullptr || ::dlsym(RTLD_DEFAULT, "__tsan_init") != nullptr;
  std::string preload = [] {
    std::string files = library_of("__asan_init");
    if (files.empty()) files = library_of("__tsan_init");
    const std::string standard = files.empty() ? "" : library_of("_ZSt9terminatev");
    return standard.empty() ? files : files + ":" + standard;
  }();
};

struct environment_copy {
  explicit environment_copy(const std::string& preload) {
    constexpr std::string_view name = "LD_PRELOAD=";
    for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
      if (!preload.empty() && std::string_view(*entry).starts_with(name)) {
        preloads = std::string(name) + preload + ":" + (*entry + name.size());
      } else {
        entries.push_back(*entry);
      }
    }
    if (!preload.empty() && preloads.empty()) preloads = std::string(name) + preload;
    if (!preloads.empty()) entries.push_back(preloads.data());
    entries.push_back(nullptr);
  }

  std::string preloads;
  std::vector<char*> entries;
};

std::string last_output(const trial_report& report) {
  constexpr auto room = static_cast<std::size_t>(trial_text_size);
  std::string text(report.output, std::min<std::size_t>(report.output_size, room));
  if (report.output_size > room) std::rotate(text.begin(), text.begin() + report.output_size % room, text.end());
  while (!text.empty() && (text.back() == '\n' || text.back() == '\0')) text.pop_back();
  return text;
}

std::string time_text(std::chrono::milliseconds time) {
  if (time.count() % 1000 == 0) return std::to_string(time.count() / 1000) + " s";
  return std::to_string(time.count()) + " ms";
}

// What was going on, as the end of "it called exit(3) …", and whose doing it probably was.
struct moment {
  std::string subject;
  std::string when;
};

moment moment_of(const trial_report& report, const trial_options& options) {
  const auto item_of = [&](std::size_t start, const std::vector<std::string>& list) {
    const std::size_t at = report.item - start;
    return report.item >= start && at < list.size() ? "\"" + list[at] + "\"" : std::string("one of them");
  };
  switch (report.phase) {
    case trial_dependency:
      return {"a constructor of its dependency " + item_of(0, options.dependencies), "while that was being loaded"};
    case trial_loading: return {"its constructor", "while it was being loaded"};
    case trial_symbol:
      return {"the resolver of its symbol " + item_of(options.dependencies.size(), options.symbols),
              "while that was being looked up"};
    case trial_unloading: return {"its destructor", "while it was being unloaded"};
    default: return {"the trial helper", "before it began"};
  }
}

result<void> judge(const trial_report& report, const std::string& path, const trial_options& options) {
  const auto failed = [&](std::string reason) { return error(stage::trial, path, std::move(reason)); };
  if (report.start_error != 0) {
    return failed("the trial helper could not be started")
        .system(std::strerror(report.start_error))
        .advise(other_helper() != nullptr
                    ? "AUTORELOAD_TRIAL_HELPER must name the installed autoreload-trial executable"
                    : "name an installed helper by the environment variable "
                      "AUTORELOAD_TRIAL_HELPER, or switch the trial load off");
  }
  if (report.cancelled != 0) return failed("the trial load was given up, because its caller stops");
  if (report.ended == 0 && report.overdue == 0) return failed("somebody killed the trial load's supervisor");
  const auto [subject, when] = moment_of(report, options);
  std::string reason;
  std::string advice = "mend it; until then the running generation stays";
  const std::string output = last_output(report);
  if (report.overdue != 0) {
    reason = subject + " did not finish in " + time_text(options.policy.time_limit);
    advice = "mend it, or raise trial_policy::time_limit; until then the running generation stays";
  } else if (WIFSIGNALED(report.status)) {
    const int number = WTERMSIG(report.status);
    const char* const name = signal_name(number);
    // The words of the two C++ runtimes.
    if (number == SIGABRT &&
        (output.find("terminate called") != std::string::npos || output.find("terminating with") != std::string::npos ||
         output.find("terminating due to") != std::string::npos)) {
      reason = subject + " threw an exception that nobody caught (SIGABRT)";
    } else {
      reason = subject + " died of " + (name != nullptr ? std::string(name) : "signal " + std::to_string(number));
    }
    if (report.phase == trial_loading)
      advice = "mend it, or the file, if that is damaged; until then the running generation stays";
    if (report.phase == trial_not_started) advice = "raise trial_policy::memory_limit, if that is low";
    if (report.phase == trial_unloading) {
      advice = "mend it, or keep old generations loaded and unset trial_policy::destructors";
    }
  } else if (report.phase == trial_no_path && WIFEXITED(report.status) && WEXITSTATUS(report.status) == 0) {
    reason = "the trial helper can't reach the snapshot";
    advice = "mount /proc, or switch the trial load off";
  } else if (report.phase == trial_not_started) {
    reason = "the trial helper ended with status " + std::to_string(WEXITSTATUS(report.status)) + " before it began";
    advice = other_helper() != nullptr ? "AUTORELOAD_TRIAL_HELPER must name an autoreload-trial of the same version"
                                       : "raise trial_policy::memory_limit, if that is low";
  } else if (report.phase == trial_done || report.phase == trial_refused) {
    return {};
  } else {
    reason = "it called exit(" + std::to_string(WEXITSTATUS(report.status)) + ") " + when;
  }
  return failed(std::move(reason)).system(output).advise(std::move(advice));
}

// Unmaps the report at the end.
struct mapping {
  ~mapping() {
    if (address != MAP_FAILED) ::munmap(address, sizeof(trial_report));
  }
  void* address = MAP_FAILED;
};

}  // namespace

result<void> trial_load(int snapshot, const std::string& path, const trial_options& options, bool* short_of) {
  const auto lacks = [&](int cause) {
    if (short_of != nullptr) *short_of = is_shortage(cause) || cause == EAGAIN || cause == EFBIG;
  };
  const auto unable = [&](const char* what) {
    const int cause = errno;
    lacks(cause);
    return error(stage::trial, path, what).system(std::strerror(cause));
  };

  const quiet_file_limit quiet;
  unique_fd other;
  int helper = -1;
  if (const char* const name = other_helper()) {
    other = unique_fd(::open(name, O_RDONLY | O_CLOEXEC));
    if (!other) {
      return unable("the trial helper can't be opened")
          .advise("AUTORELOAD_TRIAL_HELPER names \"" + std::string(name) + "\"");
    }
    if (other.get() <= STDERR_FILENO) other = unique_fd(above_streams(other.get()));
    helper = other.get();
  } else {
    auto embedded = embedded_helper();
    if (!embedded) {
      lacks(errno);
      return embedded.error().rename(path);
    }
    helper = *embedded;
  }

  const int library = above_streams(snapshot);
  const unique_fd moved(library != snapshot ? library : -1);
  const unique_fd report_file = memory_file("autoreload-trial-report", MFD_NOEXEC_SEAL);
  if (library < 0 || !report_file || ::ftruncate(report_file.get(), sizeof(trial_report)) != 0) {
    return unable("no descriptors or no memory for a trial load");
  }
  mapping page;
  page.address = ::mmap(nullptr, sizeof(trial_report), PROT_READ | PROT_WRITE, MAP_SHARED, report_file.get(), 0);
  if (page.address == MAP_FAILED) return unable("no memory for a trial load");

  std::vector<std::string> words{
      "autoreload-trial", std::to_string(report_file.get()), std::to_string(options.flags),
      options.policy.destructors ? "1" : "0",
      options.load_path.empty() ? "/proc/self/fd/" + std::to_string(library) : options.load_path};
  for (const std::string& name : options.dependencies) words.push_back("d:" + name);
  for (const std::string& name : options.symbols) words.push_back("s:" + name);
  std::vector<char*> arguments;
  arguments.reserve(words.size() + 1);
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  const sanitizer checks;
  const environment_copy environment(checks.preload);

  job work{};
  work.report = static_cast<trial_report*>(page.address);
  work.report_file = report_file.get();
  work.library = library;
  work.helper = helper;
  work.cancel = options.cancel;
  work.host = ::getpid();
  const auto time = std::clamp<std::chrono::milliseconds>(options.policy.time_limit, 0ms, 24h);
  work.deadline = clock::now() + time;
  work.cpu_seconds = static_cast<rlim_t>(std::chrono::ceil<std::chrono::seconds>(time).count() + 1);
  work.memory = options.policy.memory_limit == 0 || checks.present ? RLIM_INFINITY : options.policy.memory_limit;
  work.arguments = arguments.data();
  work.environment = environment.entries.data();
  {
    const undisturbed whole_call;
    const pid_t supervisor = run_aside(supervise, &work, 0);
    if (supervisor < 0) {
      errno = -supervisor;
      return unable("no process for a trial load");
    }
    int status = 0;
    while (::waitpid(supervisor, &status, __WALL) < 0 && errno == EINTR) {
    }
  }
  lacks(work.report->start_error);
  return judge(*work.report, path, options);
}

}  // namespace autoreload
