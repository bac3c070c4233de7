// SPDX-License-Identifier: MIT
// program: the command itself, run to its end.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "../support.hpp"
#include "system/unique_fd.hpp"

namespace support {

struct ran {
  int status = -1;
  std::string out;
  std::string err;

  [[nodiscard]] std::vector<std::string> lines() const {
    std::vector<std::string> list;
    std::istringstream text(out);
    for (std::string line; std::getline(text, line);) list.push_back(line);
    return list;
  }
};

/// Runs `autoreload` with these words, in a directory and with a file as its input if these are named. Both outputs are
/// read at once.
inline ran autoreload(const std::vector<std::string>& words, const std::string& directory = {},
                      const std::string& input = {}) {
  const char* const program = std::getenv("AUTORELOAD_COMMAND");
  if (program == nullptr) throw std::runtime_error("AUTORELOAD_COMMAND names no program");
  std::vector<std::string> texts{program};
  texts.insert(texts.end(), words.begin(), words.end());
  std::vector<char*> arguments;
  for (std::string& text : texts) arguments.push_back(text.data());
  arguments.push_back(nullptr);
  std::array<std::array<int, 2>, 2> pipes{};
  for (auto& ends : pipes) {
    if (pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe");
  }
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, pipes[0][1], STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, pipes[1][1], STDERR_FILENO);
  if (!input.empty()) posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, input.c_str(), O_RDONLY, 0);
  if (!directory.empty()) posix_spawn_file_actions_addchdir_np(&actions, directory.c_str());
  pid_t child = -1;
  const int code = posix_spawn(&child, program, &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  for (const auto& ends : pipes) close(ends[1]);
  if (code != 0) throw std::runtime_error("posix_spawn");

  ran made;
  std::array<pollfd, 2> files{pollfd{pipes[0][0], POLLIN, 0}, pollfd{pipes[1][0], POLLIN, 0}};
  std::array<std::string*, 2> texts_read{&made.out, &made.err};
  for (int open = 2; open != 0;) {
    poll(files.data(), files.size(), -1);
    for (std::size_t i = 0; i < files.size(); ++i) {
      if (files[i].fd < 0 || files[i].revents == 0) continue;
      std::array<char, 65536> part;
      const ssize_t got = read(files[i].fd, part.data(), part.size());
      if (got > 0) {
        texts_read[i]->append(part.data(), static_cast<std::size_t>(got));
      } else {
        files[i].fd = -1;
        --open;
      }
    }
  }
  for (const auto& ends : pipes) close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  made.status = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  return made;
}

inline bool installed(const std::string& program) {
  return std::system(("command -v " + program + " >/dev/null 2>&1").c_str()) == 0;
}

}  // namespace support
