// SPDX-License-Identifier: MIT
// directory: files by system calls, so that nothing happens that a benchmark doesn't know of.
#include "directory.hpp"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <system_error>

namespace bench {
namespace {

[[noreturn]] void fail(const std::string& what) { throw std::system_error(errno, std::generic_category(), what); }

int create(const std::string& path, const bytes& content) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
  if (file < 0) fail("open " + path);
  if (::write(file, content.data(), content.size()) != static_cast<ssize_t>(content.size())) fail("write " + path);
  return file;
}

// Containers often mount it noexec.
bool can_run_code(const char* path) {
  struct statvfs system {};
  return statvfs(path, &system) == 0 && (system.f_flag & ST_NOEXEC) == 0 && ::access(path, W_OK) == 0;
}

}  // namespace

directory::directory(on where)
    : directory(where == on::memory && can_run_code("/dev/shm") ? "/dev/shm"
                                                                : std::filesystem::temp_directory_path().string()) {}

directory::directory(const std::string& parent) {
  std::string name = parent + "/autoreload-bench-XXXXXX";
  if (mkdtemp(name.data()) == nullptr) fail("mkdtemp " + name);
  path_ = std::filesystem::canonical(name).string();
}

directory::~directory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string directory::file_system() const {
  struct statfs system {};
  if (statfs(path_.c_str(), &system) != 0) return "unknown";
  switch (static_cast<unsigned long>(system.f_type)) {
    case TMPFS_MAGIC: return "tmpfs";
    case EXT4_SUPER_MAGIC: return "ext4";
    case BTRFS_SUPER_MAGIC: return "btrfs";
    case XFS_SUPER_MAGIC: return "xfs";
    case OVERLAYFS_SUPER_MAGIC: return "overlay";
    default: return "type " + std::to_string(system.f_type);
  }
}

bytes read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) fail("open " + path);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write_file(const std::string& path, const bytes& content) { ::close(create(path, content)); }

delivery::delivery(std::string path, const directory& staging, const bytes& content)
    : path_(std::move(path)), temporary_(staging / "delivery") {
  write_file(temporary_, content);
}

void delivery::complete() const {
  if (std::rename(temporary_.c_str(), path_.c_str()) != 0) fail("rename to " + path_);
}

written_in_place::written_in_place(const std::string& path, const bytes& content) {
  ::unlink(path.c_str());
  file_ = create(path, content);
}

void written_in_place::complete() {
  if (file_ >= 0) ::close(file_);
  file_ = -1;
}

}  // namespace bench
