// SPDX-License-Identifier: MIT
// runner: starts the supervisor and talks to it.
#include "rebuild/runner.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "rebuild/supervisor.h"
#include "system/aside.hpp"
#include "system/file_limit.hpp"

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif
#ifndef AT_EMPTY_PATH
#define AT_EMPTY_PATH 0x1000
#endif

namespace autoreload::building {

extern const unsigned long supervisor_size;  // made by system/embed.py
extern const unsigned char supervisor_bytes[];

namespace {

// A copy above the numbers that the supervisor starts with, so that putting one in place never closes another.
unique_fd above(int number) { return unique_fd(::fcntl(number, F_DUPFD_CLOEXEC, 16)); }

// A file in memory with these bytes.
unique_fd memory_file(const char* name, const void* bytes, std::size_t size, unsigned kind) {
  const quiet_file_limit quiet;
  int made = ::memfd_create(name, MFD_CLOEXEC | kind);
  if (made < 0 && errno == EINVAL) made = ::memfd_create(name, MFD_CLOEXEC);  // an older kernel
  const unique_fd file(made);
  for (std::size_t done = 0; file && done < size;) {
    const ssize_t put = ::write(file.get(), static_cast<const char*>(bytes) + done, size - done);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return {};
    done += static_cast<std::size_t>(put);
  }
  return file ? above(file.get()) : unique_fd();
}

struct birth {
  int program;
  int control;
  int host;
  char* const* arguments;
  char* const* environment;
};

// The supervisor's process, until it is the supervisor.
void become_supervisor(void* argument) noexcept {
  const birth& work = *static_cast<birth*>(argument);
  ::dup2(work.control, supervisor_control);
  if (work.host >= 0) {
    ::dup2(work.host, supervisor_host);
  } else {
    ::close(supervisor_host);
  }
  ::syscall(SYS_execveat, work.program, "", work.arguments, work.environment, AT_EMPTY_PATH);
  // valgrind and some filters of system calls only know execve. Without allocation: the memory is the host's.
  char name[] = "/proc/self/fd/0000000000";
  char* end = name + sizeof name - 1;
  int number = work.program;
  for (*end = 0; number > 0 || *end == 0; number /= 10) *--end = static_cast<char>('0' + number % 10);
  std::memmove(name + sizeof "/proc/self/fd/" - 1, end, static_cast<std::size_t>(name + sizeof name - end));
  ::execve(name, work.arguments, work.environment);
  ::_exit(127);
}

// Ends at once, so that the supervisor is nobody's child but the system's.
void bear_supervisor(void* argument) noexcept { ::_exit(run_aside(become_supervisor, argument, SIGCHLD) < 0 ? 1 : 0); }

error unable(const char* what) {
  const int cause = errno;
  error failure(stage::build, {}, what);
  failure.system(std::strerror(cause));
  if (cause == EMFILE || cause == ENFILE) failure.advise("raise the limit of open files (ulimit -n)");
  if (cause == EACCES) {
    failure.advise(
        "vm.memfd_noexec=2 forbids executables in memory: install autoreload-build and name it by the "
        "environment variable AUTORELOAD_BUILD_SUPERVISOR");
  }
  return failure;
}

unique_fd supervisor_program() {
  const char* const other = ::secure_getenv("AUTORELOAD_BUILD_SUPERVISOR");
  if (other == nullptr || *other == '\0') {
    return memory_file("autoreload-build", supervisor_bytes, supervisor_size, MFD_EXEC);
  }
  const unique_fd file(::open(other, O_RDONLY | O_CLOEXEC));
  return file ? above(file.get()) : unique_fd();
}

clock::time_point time_of(const supervisor_report& report) {
  return clock::time_point(std::chrono::nanoseconds(report.time));  // steady_clock is CLOCK_MONOTONIC
}

}  // namespace

result<runner> runner::make(std::size_t output_limit) {
  const unique_fd program = supervisor_program();
  if (!program) return unable("the program that supervises builds can't be opened");
  std::array<int, 2> ends{-1, -1};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return unable("no socket for the supervisor of builds");
  }
  unique_fd ours(ends[0]);
  const unique_fd theirs(ends[1]);
  const unique_fd control = above(theirs.get());
  const unique_fd self(static_cast<int>(::syscall(SYS_pidfd_open, ::getpid(), 0)));  // not before Linux 5.3
  const unique_fd host = self ? above(self.get()) : unique_fd();
  if (!control) return unable("no descriptor for the supervisor of builds");

  std::array<char*, 2> arguments{const_cast<char*>("autoreload-build"), nullptr};
  birth work{program.get(), control.get(), host.get(), arguments.data(), environ};
  {
    const undisturbed whole_call;
    const pid_t mother = run_aside(bear_supervisor, &work, 0);
    if (mother < 0) {
      errno = -mother;
      return unable("no process for the supervisor of builds");
    }
    while (::waitpid(mother, nullptr, __WALL) < 0 && errno == EINTR) {
    }
  }
  return runner(std::move(ours), output_limit);
}

runner::~runner() {
  if (!control_) return;  // moved away
  ::shutdown(control_.get(), SHUT_WR);
  // It closes its end when nothing is left. What can't be killed is the kernel's matter.
  const clock::time_point patience = clock::now() + std::chrono::seconds(6);
  char rest[sizeof(supervisor_report)];
  for (ssize_t size = 1; size != 0 && clock::now() < patience;) {
    pollfd waits{control_.get(), POLLIN, 0};
    if (::poll(&waits, 1, 100) <= 0) continue;
    size = ::recv(control_.get(), rest, sizeof rest, MSG_DONTWAIT);
    if (size < 0 && errno != EINTR && errno != EAGAIN) break;
  }
}

result<void> runner::start(const command& what, std::size_t output_limit) {
  std::string words = what.directory + '\0';
  for (const std::string& word : what.words) words += word + '\0';
  for (const std::string& entry : what.environment) words += entry + '\0';
  const unique_fd file = memory_file("autoreload-command", words.data(), words.size(), 0);
  std::array<int, 2> ends{-1, -1};
  if (!file || ::pipe2(ends.data(), O_CLOEXEC) != 0) return unable("no descriptors for a build");
  unique_fd ours(ends[0]);
  const unique_fd theirs(ends[1]);
  ::fcntl(ours.get(), F_SETFL, O_NONBLOCK);

  supervisor_request request{order_start, 0, static_cast<std::uint32_t>(words.size()),
                             static_cast<std::uint32_t>(what.words.size())};
  const std::array<int, 2> given{file.get(), theirs.get()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof given)> rights{};
  iovec part{&request, sizeof request};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = rights.data();
  message.msg_controllen = rights.size();
  cmsghdr* const header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof given);
  std::memcpy(CMSG_DATA(header), given.data(), sizeof given);
  ssize_t sent = 0;
  while ((sent = ::sendmsg(control_.get(), &message, MSG_NOSIGNAL)) < 0 && errno == EINTR) {
  }
  if (sent < 0) return unable("the supervisor of builds is gone");
  pipe_ = std::move(ours);
  output_ = bounded_output(output_limit != 0 ? output_limit : output_limit_);
  now_ = ending{};
  now_.started = clock::now();
  running_ = true;
  return {};
}

void runner::stop(std::chrono::milliseconds grace) {
  if (!running_) return;
  const supervisor_request request{order_stop, static_cast<std::uint32_t>(grace.count()), 0, 0};
  while (::send(control_.get(), &request, sizeof request, MSG_NOSIGNAL) < 0 && errno == EINTR) {
  }
}

void runner::read_output() {
  std::array<char, 65536> piece;
  while (pipe_) {
    const ssize_t size = ::read(pipe_.get(), piece.data(), piece.size());
    if (size < 0 && errno == EINTR) continue;
    if (size > 0) output_.add(std::string_view(piece.data(), static_cast<std::size_t>(size)));
    if (size == 0) pipe_ = unique_fd();
    if (size < static_cast<ssize_t>(piece.size())) return;
  }
}

// Whoever wrote is gone: what there is in the pipe is all.
ending runner::finish() {
  while (pipe_) {
    const std::uint64_t before = output_.size();
    read_output();
    if (output_.size() == before) break;
  }
  pipe_ = unique_fd();
  running_ = false;
  now_.output_size = output_.size();
  now_.output = output_.text();
  return std::move(now_);
}

std::optional<ending> runner::advance() {
  read_output();
  while (running_) {
    supervisor_report report{};
    const ssize_t size = ::recv(control_.get(), &report, sizeof report, MSG_DONTWAIT);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && errno == EAGAIN) return std::nullopt;
    if (size != static_cast<ssize_t>(sizeof report)) {  // somebody killed it
      now_.start_error = ECHILD;
      now_.ended = clock::now();
      return finish();
    }
    if (report.news == news_started) {
      now_.started = time_of(report);
      continue;
    }
    now_.ended = time_of(report);
    now_.left = report.left;
    now_.immortal = report.immortal != 0;
    (report.news == news_unstarted ? now_.start_error : now_.status) = report.status;
    return finish();
  }
  return std::nullopt;
}

ending runner::wait() {
  for (;;) {
    if (std::optional<ending> ended = advance()) return *std::move(ended);
    std::array<pollfd, 2> waits{pollfd{control_.get(), POLLIN, 0}, pollfd{pipe_.get(), POLLIN, 0}};
    ::poll(waits.data(), waits.size(), -1);
  }
}

}  // namespace autoreload::building
