// SPDX-License-Identifier: MIT
// files: as the program's own calls would find them.
#include "exec/files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <memory>

#include "system/unique_fd.hpp"

namespace autoreload::exec {

std::string base_of(const std::string& path) { return path.substr(path.rfind('/') + 1); }

std::string real_path(const std::string& path) {
  const std::unique_ptr<char, decltype(&std::free)> real(realpath(path.c_str(), nullptr), &std::free);
  return real != nullptr ? real.get() : path;
}

// At once: a library with debug information has many megabytes, and somebody waits for the program's start.
std::optional<std::string> read_file(const std::string& path) {
  const unique_fd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat status {};
  if (!file || fstat(file.get(), &status) != 0) return std::nullopt;
  std::string bytes(static_cast<std::size_t>(status.st_size), '\0');
  std::size_t had = 0;
  std::array<char, 4096> more;  // of a file that has no size, or grows
  for (;;) {
    const bool beyond = had == bytes.size();
    const ssize_t got =
        beyond ? read(file.get(), more.data(), more.size()) : read(file.get(), bytes.data() + had, bytes.size() - had);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    had += static_cast<std::size_t>(got);
    if (beyond) bytes.append(more.data(), static_cast<std::size_t>(got));
  }
  bytes.resize(had);
  return bytes;
}

}  // namespace autoreload::exec
