// SPDX-License-Identifier: MIT
// stable_file: leases, patience, and reads and writes that go to the end.
#include "reload/snapshot/stable_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <ctime>
#include <utility>

namespace autoreload {
namespace {

constexpr std::size_t step = std::size_t{1} << 30;  // read(2) moves at most 2 GiB - 4 KiB at once

}  // namespace

// Anybody can set the time of modification, but a lease proves the file closed.
std::chrono::nanoseconds rest_until_finished(const file_identity& is, bool nobody_writes, writer_patience* patience) {
  timespec time{};
  clock_gettime(CLOCK_REALTIME, &time);
  const std::int64_t now = static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
  std::int64_t last = nobody_writes && is.modified <= now ? is.modified : std::max(is.modified, is.changed);
  if (last > now && is.changed <= now) last = is.changed;
  std::chrono::nanoseconds age(now - last);
  // Of times in the future (the clock was set back) only ours is left.
  if (last > now) age = {};
  if (last > now && patience != nullptr) age = std::chrono::steady_clock::now() - patience->about(is).since;
  return std::max<std::chrono::nanoseconds>(finished - age, {});
}

read_lease::read_lease(int file) : file_(file) {
  // A writer that arrives while it is held makes the kernel signal us: by default SIGIO, which ends a process. SIGURG
  // is ignored by default, and its handlers expect it at any time.
  fcntl(file_, F_SETSIG, SIGURG);
  held_ = fcntl(file_, F_SETLEASE, F_RDLCK) == 0;
  writer_ = !held_ && errno == EAGAIN;
}

void read_lease::give_back() {
  if (std::exchange(held_, false)) fcntl(file_, F_SETLEASE, F_UNLCK);
}

bool read_lease::kept() const { return held_ && fcntl(file_, F_GETLEASE) == F_RDLCK; }

writer_patience::file& writer_patience::about(const file_identity& is) {
  const auto known = std::find_if(files_.begin(), files_.end(), [&](const file& one) { return one.is == is; });
  if (known != files_.end()) return *known;
  std::erase_if(files_, [&](const file& one) { return one.is.device == is.device && one.is.inode == is.inode; });
  if (files_.size() == 16) files_.erase(files_.begin());  // there are not so many at a time
  return files_.emplace_back(file{is, std::chrono::steady_clock::now()});
}

bool read_all(int file, std::byte* image, file_range range) {
  while (range.begin < range.end) {
    const auto want = static_cast<std::size_t>(std::min<std::uint64_t>(range.end - range.begin, step));
    const ssize_t got = pread(file, image + range.begin, want, static_cast<off_t>(range.begin));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    range.begin += static_cast<std::uint64_t>(got);
  }
  return true;
}

bool write_all(int file, const std::byte* image, file_range range) {
  while (range.begin < range.end) {
    const auto want = static_cast<std::size_t>(std::min<std::uint64_t>(range.end - range.begin, step));
    const ssize_t put = pwrite(file, image + range.begin, want, static_cast<off_t>(range.begin));
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return false;
    range.begin += static_cast<std::uint64_t>(put);
  }
  return true;
}

}  // namespace autoreload
