// SPDX-License-Identifier: MIT
// arguments: the options that a benchmark program has of its own.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace bench {

/// The words of a command line. A program asks for the options it knows; what is left then nobody does.
class arguments {
 public:
  arguments(int count, char** words) : words_(words + 1, words + count) {}

  /// The N of `--name=N`, or `otherwise`. Exits with a message when it is not a positive number.
  [[nodiscard]] std::int64_t number(std::string_view name, std::int64_t otherwise);
  /// The text of `--name=TEXT`, or `otherwise`.
  [[nodiscard]] std::string text(std::string_view name, std::string otherwise);
  /// Exits with a message when there are words that nobody asked for.
  void expect_no_more() const;

 private:
  std::vector<std::string> words_;
};

}  // namespace bench
