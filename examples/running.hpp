// SPDX-License-Identifier: MIT
// running: a program as a child process that a test talks to line by line.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "support.hpp"

/// Its standard error is the test's own, so that a failure shows it.
class running {
 public:
  /// @param words      the program and its arguments
  /// @param variables  "NAME=value", beside the test's own
  explicit running(std::vector<std::string> words, std::vector<std::string> variables = {}) {
    std::array<int, 2> in{};
    std::array<int, 2> out{};
    if (pipe2(in.data(), O_CLOEXEC) != 0 || pipe2(out.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe");
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    std::vector<char*> env;
    for (std::string& variable : variables) env.push_back(variable.data());
    for (char** variable = environ; *variable != nullptr; ++variable) env.push_back(*variable);
    env.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
    const int failure = posix_spawn(&process_, argv[0], &actions, nullptr, argv.data(), env.data());
    posix_spawn_file_actions_destroy(&actions);
    close(in[0]);
    close(out[1]);
    in_ = in[1];
    out_ = out[0];
    if (failure != 0) throw std::runtime_error("can't start " + words[0]);
  }
  running(const running&) = delete;
  running& operator=(const running&) = delete;
  ~running() {
    if (process_ > 0) {
      kill(process_, SIGKILL);
      waitpid(process_, nullptr, 0);
    }
    if (in_ >= 0) close(in_);
    close(out_);
  }

  /// The next line that it prints; "(nothing)" when it ended or was silent for too long.
  std::string line() {
    const auto deadline = std::chrono::steady_clock::now() + support::patience;
    for (;;) {
      if (const std::size_t end = buffer_.find('\n'); end != std::string::npos) {
        std::string first = buffer_.substr(0, end);
        buffer_.erase(0, end + 1);
        return first;
      }
      const auto left =
          std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
      pollfd source{out_, POLLIN, 0};
      std::array<char, 4096> chunk;
      if (left.count() <= 0 || poll(&source, 1, static_cast<int>(left.count())) != 1) return "(nothing)";
      const ssize_t got = read(out_, chunk.data(), chunk.size());
      if (got <= 0) return "(nothing)";
      buffer_.append(chunk.data(), static_cast<std::size_t>(got));
    }
  }

  /// Reads on to a line that contains this, and returns it; "(nothing)" when none came.
  std::string line_with(const std::string& part) {
    for (;;) {
      std::string next = line();
      if (next == "(nothing)" || next.find(part) != std::string::npos) return next;
    }
  }

  void send(const std::string& text) const {
    ASSERT_EQ(write(in_, text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  void end_input() {
    close(in_);
    in_ = -1;
  }
  void signal(int number) const { kill(process_, number); }

  /// Its exit status, or minus the signal that ended it; one that does not end is killed.
  int wait() {
    pollfd ended{static_cast<int>(syscall(SYS_pidfd_open, process_, 0)), POLLIN, 0};
    if (poll(&ended, 1, static_cast<int>(std::chrono::milliseconds(support::patience).count())) != 1) signal(SIGKILL);
    close(ended.fd);
    int status = 0;
    waitpid(process_, &status, 0);
    process_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }

 private:
  pid_t process_ = -1;
  int in_ = -1;
  int out_ = -1;
  std::string buffer_;
};
