// SPDX-License-Identifier: MIT
// safety_support: what the tests of trust, trial load and crash report share: directories, files, processes,
// descriptors.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include <cerrno>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <stdexcept>
#include <string>

#include "counters.hpp"
#include "support.hpp"

namespace autoreload::test {

/// Makes crashes end by their signal under a sanitizer too, which would else exit: in this process, whose sanitizer
/// asks the functions below, and in helper processes, which find it in the environment.
inline constexpr const char* sanitizer_options =
    "handle_segv=0:handle_sigbus=0:handle_sigill=0:handle_sigfpe=0:handle_abort=0:use_sigaltstack=0:detect_leaks=0";

inline const bool crashes_stay_crashes = [] {
  for (const char* const name : {"ASAN_OPTIONS", "TSAN_OPTIONS"}) {
    const char* const before = std::getenv(name);
    const std::string options = (before != nullptr ? std::string(before) + ":" : "") + sanitizer_options;
    ::setenv(name, options.c_str(), 1);
  }
  return true;
}();

/// A directory of its own for each test, gone with it.
class temporary_directory {
 public:
  temporary_directory() {
    std::string name = (support::open_to_all() / "autoreload-test-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr)
      throw std::filesystem::filesystem_error("mkdtemp", std::error_code(errno, std::generic_category()));
    path_ = std::filesystem::canonical(name);
    ::chmod(path_.c_str(), 0755);
  }
  temporary_directory(const temporary_directory&) = delete;
  temporary_directory& operator=(const temporary_directory&) = delete;
  ~temporary_directory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  [[nodiscard]] std::string operator/(const std::string& name) const { return (path_ / name).string(); }
  [[nodiscard]] std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

inline void write_file(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

inline std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// A file of the build, by the environment variable that the build system sets for the test.
inline std::string built(const char* variable) {
  const char* const value = std::getenv(variable);
  if (value == nullptr) throw std::runtime_error(std::string(variable) + " is not set: run me by meson test");
  return value;
}

/// A copy of a file in memory, as the snapshot stage makes it.
inline int copy_to_memory(const std::string& path) {
  const int file = ::memfd_create("snapshot", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  const std::string bytes = read_file(path);
  EXPECT_FALSE(bytes.empty()) << path;
  EXPECT_EQ(::write(file, bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  return file;
}

/// How a child process ended, and what it wrote to its standard error.
struct ending {
  int status = 0;
  std::string text;

  [[nodiscard]] int signal() const { return WIFSIGNALED(status) ? WTERMSIG(status) : 0; }
  [[nodiscard]] int code() const { return WIFEXITED(status) ? WEXITSTATUS(status) : -1; }
};

/// Runs `body` in a forked child, which exits 0 after it, or 99 when one of the test's expectations failed in it.
inline ending in_child(const std::function<void()>& body) {
  int pipe[2];
  if (::pipe2(pipe, O_CLOEXEC) != 0) return {};
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(60);  // a test that fails by waiting for ever shall end too
    ::dup2(pipe[1], STDERR_FILENO);
    ::dup2(pipe[1], STDOUT_FILENO);
    support::keep_counters_in_a_crash();
    try {
      body();
    } catch (const std::exception& thrown) {  // in the child nobody else may catch it and go on with the next test
      ADD_FAILURE() << thrown.what();
    }
    std::fflush(nullptr);
    support::keep_counters();
    ::_exit(::testing::Test::HasFailure() ? 99 : 0);
  }
  ::close(pipe[1]);
  ending how;
  char piece[512];
  for (ssize_t size = 0; (size = ::read(pipe[0], piece, sizeof piece)) != 0;) {
    if (size > 0) how.text.append(piece, static_cast<std::size_t>(size));
    if (size < 0 && errno != EINTR) break;
  }
  ::close(pipe[0]);
  while (::waitpid(child, &how.status, 0) < 0 && errno == EINTR) {
  }
  return how;
}

/// Waits until a process, anybody's child, has ended.
inline bool ends_within(pid_t process, int milliseconds) {
  const int handle = static_cast<int>(::syscall(SYS_pidfd_open, process, 0));
  if (handle < 0) return errno == ESRCH;
  pollfd watched{handle, POLLIN, 0};
  const bool ended = ::poll(&watched, 1, milliseconds) == 1;
  ::close(handle);
  return ended;
}

}  // namespace autoreload::test

extern "C" {
__attribute__((used, visibility("default"))) inline const char* __asan_default_options() {
  return autoreload::test::sanitizer_options;
}
__attribute__((used, visibility("default"))) inline const char* __tsan_default_options() {
  return autoreload::test::sanitizer_options;
}
}
