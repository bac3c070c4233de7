// SPDX-License-Identifier: MIT
// copy_room: a private copy's memory, got and mapped before there is anything to copy.
//
// The larger part of what a copy costs is getting its pages: from the system, and into the process for whoever looks at
// the copy. Both are done ahead, while nobody waits. Then the file's bytes are read right into the pages.
#pragma once

#include <cstdint>
#include <span>
#include <utility>

#include "reload/snapshot/copy_place.hpp"
#include "reload/snapshot/direct_copy.hpp"
#include "reload/snapshot/file_ranges.hpp"

namespace autoreload {

/// Bytes. A file of so many is copied whole: to ask for its parts would take longer than that.
inline constexpr std::uint64_t small_copy = 65536;

/// A file for a copy, and the mapping through which it is written and seen. Not thread-safe.
class copy_room {
 public:
  explicit copy_room(copy_file made) : file(std::move(made)) {}

  copy_file file;

  /// Gets memory for `size` bytes, and maps it.
  /// @param most  bytes to get now. @return whether there is enough, or none is to be had
  [[nodiscard]] bool grow(std::uint64_t size, std::uint64_t most);
  /// Whether a file of this size can be read into pages that are mapped already.
  [[nodiscard]] bool holds(std::uint64_t size) const;
  /// From now on it is for a copy of so many bytes. The file has as many or more. @return whether it could; errno says
  /// why not
  [[nodiscard]] bool fit(std::uint64_t size);
  /// Copies a range of another file to the same place. @return as copy_range()
  [[nodiscard]] int fill(int from, file_range range);
  /// The file's bytes; empty when the system refused the mapping. The file can't be sealed while there are some.
  [[nodiscard]] std::span<std::byte> bytes();

 private:
  void map(std::uint64_t size);
  [[nodiscard]] bool lengthen(std::uint64_t size);

  std::uint64_t size_ = 0;  // of the copy
  std::uint64_t got_ = 0;   // bytes of memory, from the start of the file
  mapped_memory shared_;    // the file's own pages, if they were got ahead
  private_view view_;       // otherwise
};

}  // namespace autoreload
