// SPDX-License-Identifier: MIT
// needed_libraries: the loader's own answer, in the words that ldd shows.
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <sstream>
#include <string_view>

#include "exec/program_file.hpp"
#include "system/unique_fd.hpp"

namespace autoreload::exec {
namespace {

// `libfoo.so.1 => /path/libfoo.so.1 (0x...)`, `./libfoo.so (0x...)`
void read_line(const std::string& line, std::vector<needed_library>& into) {
  const std::size_t start = line.find_first_not_of('\t');
  const std::size_t address = line.rfind(" (0x");
  if (start == std::string::npos || address == std::string::npos || address < start) return;
  const std::string words = line.substr(start, address - start);
  constexpr std::string_view arrow = " => ";
  const std::size_t at = words.find(arrow);
  const std::string name = words.substr(0, at);
  const std::string path = at == std::string::npos ? words : words.substr(at + arrow.size());
  if (path.find('/') == std::string::npos) return;  // the kernel's own
  std::error_code failure;
  into.push_back({name, std::filesystem::absolute(path, failure).lexically_normal().string()});
}

}  // namespace

result<std::vector<needed_library>> libraries_of(const program_file& program) {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return error(stage::use, program.path, "no pipe could be made");
  const unique_fd out(ends[0]);
  unique_fd in(ends[1]);
  std::string trace = "LD_TRACE_LOADED_OBJECTS=1";
  std::vector<char*> environment{trace.data()};
  for (char** one = environ; *one != nullptr; ++one) environment.push_back(*one);
  environment.push_back(nullptr);
  std::string path = program.path;
  std::array<char*, 2> arguments{path.data(), nullptr};

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in.get(), STDOUT_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  pid_t child = -1;
  const int code = posix_spawn(&child, path.c_str(), &actions, nullptr, arguments.data(), environment.data());
  posix_spawn_file_actions_destroy(&actions);
  in = unique_fd();
  if (code != 0) return error(stage::use, program.path, "it can't be started").system(std::strerror(code));

  std::string text;
  std::array<char, 4096> part;
  for (ssize_t got = 0; (got = read(out.get(), part.data(), part.size())) != 0;) {
    if (got < 0 && errno != EINTR) break;
    if (got > 0) text.append(part.data(), static_cast<std::size_t>(got));
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  std::vector<needed_library> found;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) read_line(line, found);
  return found;
}

}  // namespace autoreload::exec
