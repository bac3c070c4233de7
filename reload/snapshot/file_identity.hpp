// SPDX-License-Identifier: MIT
// file_identity: what tells one state of a file from another without reading it.
#pragma once

#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <ctime>

namespace autoreload {

/// Two equal identities mean the same content unless the file was changed twice within one tick of the kernel's clock:
/// see settled(). Times are compared for equality only, so clocks and mtimes that go backwards do no harm.
struct file_identity {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::uint64_t size = 0;
  std::int64_t modified = 0;  ///< ns
  std::int64_t changed = 0;   ///< ns; can't be set by a user

  bool operator==(const file_identity&) const = default;

  [[nodiscard]] static file_identity of(const struct stat& status) {
    const auto nanoseconds = [](const timespec& time) {
      return static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
    };
    return {status.st_dev, status.st_ino, static_cast<std::uint64_t>(status.st_size), nanoseconds(status.st_mtim),
            nanoseconds(status.st_ctim)};
  }

  /// Whether the last change is so long ago that another one would have got another time. The coarsest tick of a kernel
  /// is 10 ms; file servers round to seconds, and a clock set back makes times of the future: those never settle, which
  /// costs a comparison of contents at each look and nothing else.
  ///
  /// @param at_least  a longer time that has to have passed
  [[nodiscard]] bool settled(std::chrono::nanoseconds at_least = {}) const {
    timespec now{};
    clock_gettime(CLOCK_REALTIME, &now);
    const std::int64_t age = static_cast<std::int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec - changed;
    const bool whole_seconds = changed % 1'000'000'000 == 0;
    return age > std::max<std::int64_t>(whole_seconds ? 2'000'000'000 : 20'000'000, at_least.count());
  }
};

}  // namespace autoreload
