// SPDX-License-Identifier: MIT
// files: paths, and what is at them.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace autoreload::exec {

/// What stands behind the last slash.
[[nodiscard]] std::string base_of(const std::string& path);

/// The path without links, or as it is where there is nothing.
[[nodiscard]] std::string real_path(const std::string& path);

/// A file's bytes; nothing when it can't be opened.
[[nodiscard]] std::optional<std::string> read_file(const std::string& path);

/// A file's bytes without reading them: for a program, which may be large, and which the system is about to map itself.
/// Not for what builds may write over.
class mapped_file {
 public:
  /// Empty when it can't be opened, or is.
  explicit mapped_file(const std::string& path);
  mapped_file(mapped_file&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}
  mapped_file& operator=(mapped_file&& other) noexcept {
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~mapped_file();
  [[nodiscard]] std::string_view bytes() const { return bytes_; }

 private:
  std::string_view bytes_;
};

}  // namespace autoreload::exec
