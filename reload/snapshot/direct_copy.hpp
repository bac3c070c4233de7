// SPDX-License-Identifier: MIT
// direct_copy: copies a large file within the kernel, and shows the copy as the file's bytes.
//
// Reading a file into memory and writing that to a memfd moves every byte twice, and the fresh memory costs a fault for
// each page. sendfile(2) moves it once, from the page cache to the memfd's pages. The copy is then mapped, so that what
// is inspected is the very copy that is loaded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "reload/snapshot/copy_place.hpp"
#include "reload/snapshot/file_ranges.hpp"

namespace autoreload {

/// A private mapping of a whole file. It shows the file's bytes. A page that was written to here keeps what it showed,
/// whatever is written to the file: see freeze().
class private_view {
 public:
  private_view() = default;
  /// @param file  a descriptor; nobody may shorten the file while the view lives
  private_view(int file, std::size_t size);
  private_view(private_view&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}
  private_view& operator=(private_view&& other) noexcept {
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~private_view();

  /// Empty when the system refused the mapping.
  [[nodiscard]] std::span<std::byte> bytes() const noexcept { return bytes_; }

 private:
  std::span<std::byte> bytes_;
};

/// Lets a view's pages keep what they show now. @param size  bytes from `at`; what lies outside of the view is ignored
void freeze(std::span<std::byte> view, std::uint64_t at, std::uint64_t size) noexcept;

/// Moves a range of a file to the same place of another. By sendfile(2); by reading and writing where the file system
/// has no sendfile.
/// @return 0, or an errno; ENODATA when the file ended before the range did
[[nodiscard]] int copy_range(int from, int to, file_range range);

}  // namespace autoreload
