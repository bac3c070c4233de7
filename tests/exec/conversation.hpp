// SPDX-License-Identifier: MIT
// conversation: a program, asked and answered line by line; mostly under `autoreload exec`.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "../support.hpp"

namespace support {

class conversation {
 public:
  /// Starts `autoreload exec` with these words. @param environment  more variables, `NAME=value`
  explicit conversation(const std::vector<std::string>& words, const std::string& directory,
                        const std::vector<std::string>& environment = {}) {
    const char* const program = std::getenv("AUTORELOAD_COMMAND");
    if (program == nullptr) throw std::runtime_error("AUTORELOAD_COMMAND names no program");
    std::vector<std::string> texts{program, "exec"};
    texts.insert(texts.end(), words.begin(), words.end());
    start(texts, directory, environment);
  }
  struct as_it_is {};
  /// Starts the program alone.
  conversation(as_it_is, std::vector<std::string> words, const std::string& directory,
               const std::vector<std::string>& environment = {}) {
    start(words, directory, environment);
  }
  conversation(const conversation&) = delete;
  conversation& operator=(const conversation&) = delete;
  ~conversation() {
    if (process_ > 0) {
      kill(process_, SIGKILL);
      waitpid(process_, nullptr, 0);
    }
    for (const int file : {in_, out_, err_}) {
      if (file >= 0) close(file);
    }
  }

  /// Writes a line and reads one.
  std::string ask(const std::string& line) {
    const std::string whole = line + "\n";
    if (write(in_, whole.data(), whole.size()) != static_cast<ssize_t>(whole.size())) throw std::runtime_error("write");
    return next_line();
  }
  std::string next_line() {
    while (output_.find('\n') == std::string::npos) {
      if (!read_more()) throw std::runtime_error("the program ended; it said:\n" + said_);
    }
    const std::size_t end = output_.find('\n');
    std::string line = output_.substr(0, end);
    output_.erase(0, end + 1);
    return line;
  }
  /// Waits until standard error has this, behind what was waited for before.
  void hear(const std::string& text) {
    std::size_t at = 0;
    while ((at = said_.find(text, heard_)) == std::string::npos) {
      if (!read_more()) throw std::runtime_error("never said \"" + text + "\", but:\n" + said_);
    }
    heard_ = at + text.size();
  }
  /// The same, and the rest of that line.
  std::string hear_line(const std::string& text) {
    hear(text);
    const std::size_t begin = heard_;
    hear("\n");
    return said_.substr(begin, heard_ - 1 - begin);
  }
  [[nodiscard]] const std::string& said() const { return said_; }
  [[nodiscard]] pid_t process() const { return process_; }

  /// Closes its input and waits for its end. @return waitpid's status
  int finish() {
    if (in_ >= 0) close(std::exchange(in_, -1));
    while (read_more()) {
    }
    int status = 0;
    waitpid(std::exchange(process_, -1), &status, 0);
    return status;
  }
  [[nodiscard]] const std::string& output() const { return output_; }

 private:
  void start(std::vector<std::string>& texts, const std::string& directory, const std::vector<std::string>& more) {
    std::vector<char*> arguments;
    for (std::string& text : texts) arguments.push_back(text.data());
    arguments.push_back(nullptr);
    std::vector<std::string> variables(more);
    for (char** one = environ; *one != nullptr; ++one) {
      const std::string variable = *one;
      const std::string name = variable.substr(0, variable.find('=') + 1);
      const bool is_set =
          std::any_of(more.begin(), more.end(), [&](const auto& other) { return other.starts_with(name); });
      if (!is_set) variables.push_back(variable);
    }
    std::vector<char*> environment;
    for (std::string& text : variables) environment.push_back(text.data());
    environment.push_back(nullptr);
    std::array<std::array<int, 2>, 3> pipes{};
    for (auto& ends : pipes) {
      if (pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe");
    }
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, pipes[0][0], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, pipes[1][1], STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, pipes[2][1], STDERR_FILENO);
    posix_spawn_file_actions_addchdir_np(&actions, directory.c_str());
    const int code = posix_spawn(&process_, arguments[0], &actions, nullptr, arguments.data(), environment.data());
    posix_spawn_file_actions_destroy(&actions);
    close(pipes[0][0]);
    close(pipes[1][1]);
    close(pipes[2][1]);
    in_ = pipes[0][1];
    out_ = pipes[1][0];
    err_ = pipes[2][0];
    if (code != 0) throw std::runtime_error("posix_spawn");
  }

  // @return false once both outputs are closed
  bool read_more() {
    std::array<pollfd, 2> files{pollfd{out_, POLLIN, 0}, pollfd{err_, POLLIN, 0}};
    if (out_ < 0 && err_ < 0) return false;
    if (poll(files.data(), files.size(), static_cast<int>(std::chrono::milliseconds(patience).count())) <= 0) {
      throw std::runtime_error("nothing more came; it said:\n" + said_);
    }
    for (std::size_t i = 0; i < files.size(); ++i) {
      if (files[i].fd < 0 || files[i].revents == 0) continue;
      std::array<char, 65536> part;
      const ssize_t got = read(files[i].fd, part.data(), part.size());
      if (got > 0) {
        (i == 0 ? output_ : said_).append(part.data(), static_cast<std::size_t>(got));
      } else {
        close(std::exchange(i == 0 ? out_ : err_, -1));
      }
    }
    return true;
  }

  pid_t process_ = -1;
  int in_ = -1;
  int out_ = -1;
  int err_ = -1;
  std::string output_;
  std::string said_;
  std::size_t heard_ = 0;
};

}  // namespace support
