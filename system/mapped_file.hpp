// SPDX-License-Identifier: MIT
// mapped_file: the bytes of a file that nobody shortens, as long as it lives.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cstddef>
#include <span>
#include <utility>

#include "system/unique_fd.hpp"

namespace autoreload {

/// A file's bytes, mapped for reading; none when it can't be read, is empty, or is no plain file. Reading one that
/// somebody shortens meanwhile crashes.
class mapped_file {
 public:
  /// @param descriptor  borrowed for the call
  explicit mapped_file(int descriptor) noexcept {
    struct stat status {};
    if (descriptor < 0 || ::fstat(descriptor, &status) != 0 || status.st_size <= 0 || !S_ISREG(status.st_mode)) return;
    const auto size = static_cast<std::size_t>(status.st_size);
    void* const at = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, descriptor, 0);
    if (at != MAP_FAILED) bytes_ = {static_cast<const std::byte*>(at), size};
  }
  explicit mapped_file(const char* path) noexcept : mapped_file(unique_fd(::open(path, O_RDONLY | O_CLOEXEC)).get()) {}
  mapped_file(mapped_file&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}
  mapped_file& operator=(mapped_file&& other) noexcept {
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~mapped_file() {
    if (!bytes_.empty()) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
  }
  [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return bytes_; }

 private:
  std::span<const std::byte> bytes_;
};

}  // namespace autoreload
