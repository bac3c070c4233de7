// SPDX-License-Identifier: MIT
// stable_file: reading a file that nobody is writing.
//
// Three things keep a torn read out. A read lease (fcntl F_SETLEASE) can only be had while nobody has the file open or
// mapped for writing, and makes a writer's open wait until it is given back: with it the read is exact. Who doesn't own
// the file can't have one; then the file's identity before and after the read must be the same and old enough for a
// change to show. And where a writer never closes it, identity and contents must have been the same for a while.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "reload/snapshot/file_identity.hpp"
#include "reload/snapshot/file_ranges.hpp"

namespace autoreload {

/// A read lease, for as long as it lives.
class read_lease {
 public:
  /// @param file  a descriptor that outlives it; ask granted() whether there is a lease
  explicit read_lease(int file);
  read_lease(const read_lease&) = delete;
  read_lease& operator=(const read_lease&) = delete;
  ~read_lease() { give_back(); }
  void give_back();
  [[nodiscard]] bool granted() const { return held_; }
  /// Whether the content stood still up to now. A writer that has waited too long (/proc/sys/fs/lease-break-time, 45 s)
  /// is let through, so one that waits is not trusted to wait on.
  [[nodiscard]] bool kept() const;
  /// Whether there is none because somebody has the file open or mapped for writing.
  [[nodiscard]] bool writer() const { return writer_; }

 private:
  int file_;
  bool held_ = false;
  bool writer_ = false;
};

/// Since when files that somebody may be writing have been as they are. Nothing tells a writer that pauses, or has
/// forgotten to close, from one that is done, but time.
class writer_patience {
 public:
  struct file {
    file_identity is;
    std::chrono::steady_clock::time_point since;                  ///< the same times and size
    std::optional<std::uint64_t> digest = std::nullopt;           ///< of what was read then
    std::chrono::steady_clock::time_point same_contents_since{};  ///< a writer through a mapping changes no time
  };
  /// What is known of the file; from now on, if it is another by now.
  file& about(const file_identity& is);

 private:
  std::vector<file> files_;
};

/// For so long nobody may have changed a file that nobody has open: then its writer is done.
inline constexpr std::chrono::seconds finished{3};

/// How long it takes, if nothing changes, until a file counts as finished; zero when it does.
/// @param nobody_writes  a lease proves it
[[nodiscard]] std::chrono::nanoseconds rest_until_finished(const file_identity& is, bool nobody_writes,
                                                           writer_patience* patience);

/// Moves a range of a file to or from the same place of an image of the whole file. @return whether all of it was moved
[[nodiscard]] bool read_all(int file, std::byte* image, file_range range);
[[nodiscard]] bool write_all(int file, const std::byte* image, file_range range);

}  // namespace autoreload
