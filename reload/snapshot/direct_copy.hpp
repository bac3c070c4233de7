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

/// Memory that was mapped, until its end.
class mapped_memory {
 public:
  mapped_memory() = default;
  explicit mapped_memory(std::span<std::byte> mapped) noexcept : bytes_(mapped) {}
  mapped_memory(mapped_memory&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}
  mapped_memory& operator=(mapped_memory&& other) noexcept {
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~mapped_memory();

  [[nodiscard]] std::span<std::byte> bytes() const noexcept { return bytes_; }

 private:
  std::span<std::byte> bytes_;
};

/// A private mapping of a whole file, which shows the file's bytes: see freeze().
class private_view {
 public:
  private_view() = default;
  /// @param file  a descriptor; nobody may shorten the file while the view lives
  private_view(int file, std::size_t size);
  /// Empty when the system refused the mapping.
  [[nodiscard]] std::span<std::byte> bytes() const noexcept { return memory_.bytes(); }

 private:
  mapped_memory memory_;
};

/// Lets pages of a mapped file keep what they show now, whatever is written to the file.
/// @param view  the mapping. @param size  bytes from `at`; what lies outside of the view is ignored
/// @return whether there was memory for it; errno says why not
[[nodiscard]] bool freeze(std::span<std::byte> view, std::uint64_t at, std::uint64_t size) noexcept;

/// Moves a range of a file to the same place of another. By sendfile(2); by reading and writing where the file system
/// has no sendfile.
/// @return 0, or an errno; ENODATA when the file ended before the range did
[[nodiscard]] int copy_range(int from, int to, file_range range);

}  // namespace autoreload
