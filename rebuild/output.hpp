// SPDX-License-Identifier: MIT
// output: what a build printed, bounded: its beginning, where the first error is, and its end.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace autoreload::building {

class bounded_output {
 public:
  /// @param limit  bytes to keep
  explicit bounded_output(std::size_t limit) : limit_(limit) {}

  void add(std::string_view piece);
  /// All bytes that came, also those that were not kept.
  [[nodiscard]] std::uint64_t size() const noexcept { return size_; }
  /// What was kept; a line says how many bytes are missing in between.
  [[nodiscard]] std::string text() const;

 private:
  std::size_t limit_;
  std::uint64_t size_ = 0;
  std::string head_;
  std::string tail_;  // may hold twice as much as is kept
};

/// The text without escape sequences (colours, links, cursor movements) and without carriage returns: a line that was
/// written over is the last one that was there.
[[nodiscard]] std::string without_escapes(std::string_view text);

}  // namespace autoreload::building
