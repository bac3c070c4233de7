// SPDX-License-Identifier: MIT
// helper_process: posix_spawn, because a fork of a host with threads could do next to nothing safely; a deadline; and
// an answer that counts only when it is whole, however the process ended.
#include "types/helper_process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include "system/aside.hpp"
#include "system/file_limit.hpp"

namespace autoreload::types {

namespace {

constexpr std::size_t longest_answer = 32U << 20;  // bytes; a hundred functions take about 20 KB

// A copy above the numbers that the child uses, so that putting one in place never closes another.
int above(int fd) { return fcntl(fd, F_DUPFD_CLOEXEC, 16); }

std::string system_text(const char* what, int code) { return std::string(what) + ": " + std::strerror(code); }

// A file in memory: unlike a pipe it takes any amount at once, so that a helper that never reads can't block the host.
int request_file(const std::string& bytes) {
  const quiet_file_limit quiet;
  const unique_fd file(memfd_create("autoreload-guard-request", MFD_CLOEXEC));
  std::size_t done = 0;
  while (file && done < bytes.size()) {
    const ssize_t put = write(file.get(), bytes.data() + done, bytes.size() - done);
    if (put <= 0) return -1;
    done += static_cast<std::size_t>(put);
  }
  if (!file || lseek(file.get(), 0, SEEK_SET) != 0) return -1;
  return above(file.get());
}

struct start {
  const char* program;
  const posix_spawn_file_actions_t* actions;
  const posix_spawnattr_t* attributes;
  pid_t child = -1;
  int code = EAGAIN;

  void run() noexcept {
    std::array<char*, 2> arguments{const_cast<char*>(program), nullptr};
    std::array<char*, 1> environment{nullptr};  // nothing of the host's reaches it: no LD_PRELOAD, no debuginfod
    code = posix_spawn(&child, program, actions, attributes, arguments.data(), environment.data());
  }
};

// An orphan's parent was a process between, which raised no signal and has ended.
int start_it(start job, bool orphan, pid_t& child) {
  if (orphan) {
    const undisturbed no_signals;
    const pid_t between = run_aside([](void* it) noexcept { static_cast<start*>(it)->run(); }, &job, 0);
    if (between < 0) job.code = -between;
    while (between > 0 && waitpid(between, nullptr, __WALL) < 0 && errno == EINTR) {
    }
  } else {
    job.run();
  }
  child = job.child;
  return job.code;
}

int spawn(const std::string& program, int input, int output, int file, int debug_file, bool orphan, pid_t& child) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, file, helper_file);
  if (debug_file >= 0) posix_spawn_file_actions_adddup2(&actions, debug_file, helper_debug_file);
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 34)
  // A host's descriptors are often inherited by mistake: a socket must not stay open for as long as the helper lives.
  posix_spawn_file_actions_addclosefrom_np(&actions, debug_file >= 0 ? helper_debug_file + 1 : helper_file + 1);
#endif

  // The host may block or catch any signal; the helper starts with none of that.
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigset_t all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);

  const int code = start_it({program.c_str(), &actions, &attributes}, orphan, child);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  return code;
}

}  // namespace

helper_process::helper_process(const std::string& program, request ask, int file, int debug_file, bool orphan)
    : orphan_(orphan) {
  ask.separate = debug_file >= 0;
  const unique_fd input(request_file(encode(ask)));
  std::array<int, 2> ends{-1, -1};
  if (!input || pipe2(ends.data(), O_CLOEXEC) != 0) {
    why_ = system_text("its helper process got no descriptors", errno);
    return;
  }
  unique_fd answer(ends[0]);
  const unique_fd write_end(ends[1]);
  const unique_fd output(above(write_end.get()));
  const unique_fd elf(above(file));
  const unique_fd debug(debug_file < 0 ? -1 : above(debug_file));
  if (!output || !elf || (debug_file >= 0 && !debug)) {
    why_ = system_text("its helper process got no descriptors", errno);
    return;
  }
  const int code = spawn(program, input.get(), output.get(), elf.get(), debug.get(), orphan, child_);
  if (code != 0) {
    child_ = -1;
    why_ = system_text(("its helper \"" + program + "\" did not start").c_str(), code);
    return;
  }
  answer_ = std::move(answer);
}

helper_process::helper_process(helper_process&& other) noexcept
    : orphan_(other.orphan_),
      child_(std::exchange(other.child_, -1)),
      answer_(std::move(other.answer_)),
      why_(std::move(other.why_)) {}

helper_process::~helper_process() { end(); }

// The helper has nothing left to do, whether it answered or not. A host that reaps every child itself (waitpid(-1), or
// SIGCHLD ignored) may have been faster; its exit status is of no interest.
void helper_process::end() noexcept {
  const bool open = static_cast<bool>(answer_);
  answer_ = unique_fd();
  if (child_ < 0) return;
  if (orphan_) {
    // As long as its end of the pipe is open it is there, and its number its own.
    if (open && !ended_) kill(child_, SIGKILL);
    // Whose parent has ended is given to process 1 or to a subreaper: perhaps to this program, which knows nothing of
    // it.
    int reaps = 0;
    if (getpid() == 1 || (prctl(PR_GET_CHILD_SUBREAPER, &reaps) == 0 && reaps != 0)) {
      while (waitpid(child_, nullptr, 0) < 0 && errno == EINTR) {
      }
    }
    child_ = -1;
    return;
  }
  if (waitpid(child_, nullptr, WNOHANG) == 0) {
    kill(child_, SIGKILL);
    while (waitpid(child_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  child_ = -1;
}

std::optional<description> helper_process::collect(std::chrono::steady_clock::time_point deadline) {
  if (!answer_) return std::nullopt;
  std::string bytes;
  std::array<char, 65536> part;
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
    pollfd readable{answer_.get(), POLLIN, 0};
    const int ready = left <= 0 ? 0 : poll(&readable, 1, static_cast<int>(std::min<long>(left, 60'000)));
    if (ready < 0 && errno == EINTR) continue;
    if (ready == 0 && left > 60'000) continue;
    if (ready <= 0) {
      why_ = "its helper process took too long and was stopped";
      break;
    }
    const ssize_t got = read(answer_.get(), part.data(), part.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) {
      ended_ = true;
      std::optional<description> found = decode(bytes);
      if (!found) why_ = "its helper process ended without a whole answer";
      end();
      return found;
    }
    bytes.append(part.data(), static_cast<std::size_t>(got));
    if (bytes.size() > longest_answer) {
      why_ = "its helper process answered far too much";
      break;
    }
  }
  end();
  return std::nullopt;
}

}  // namespace autoreload::types
