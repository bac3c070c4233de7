// SPDX-License-Identifier: MIT
// output_tail: the last lines of what somebody prints, fit to be shown: no byte of them moves the cursor.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

namespace autoreload::command {

/// Thread-safety: as a std::string.
class output_tail {
 public:
  /// @param lines  so many are kept
  explicit output_tail(std::size_t lines = 500) : most_(lines) {}

  void feed(std::string_view bytes);
  /// The last lines, the oldest first. The last one may still grow.
  [[nodiscard]] const std::deque<std::string>& lines() const { return lines_; }
  /// How many lines there were in all.
  [[nodiscard]] std::uint64_t count() const { return count_; }

 private:
  enum class at : std::uint8_t { text, escape, sequence, string };
  void take(char byte);
  std::string& line();

  std::size_t most_;
  std::deque<std::string> lines_;
  std::uint64_t count_ = 0;
  at where_ = at::text;
  bool ended_ = true;      // the last line
  bool returned_ = false;  // a carriage return came: what follows overwrites the line
};

}  // namespace autoreload::command
