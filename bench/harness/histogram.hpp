// SPDX-License-Identifier: MIT
// histogram: how often something took how long, of fixed size, so that counting takes a few nanoseconds.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cinttypes>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>

namespace bench {

/// Eight buckets for each doubling: what falls into one differs by no more than an eighth. Not thread-safe.
class histogram {
 public:
  void add(std::uint64_t nanoseconds) {
    ++counts_[index_of(nanoseconds)];
    ++total_;
    max_ = std::max(max_, nanoseconds);
  }

  [[nodiscard]] std::uint64_t total() const noexcept { return total_; }
  [[nodiscard]] std::uint64_t max() const noexcept { return max_; }

  /// The lower end of the bucket that `part` of all calls reach at most.
  [[nodiscard]] std::uint64_t percentile(double part) const {
    const auto rank = static_cast<std::uint64_t>(std::ceil(part * static_cast<double>(total_)));
    std::uint64_t passed = 0;
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      passed += counts_[i];
      if (passed >= rank) return lower_end(i);
    }
    return max_;
  }

  /// As members of a JSON object: the slowest, percentiles, and buckets as [lower end in ns, how many].
  void write(std::FILE* file) const {
    std::fprintf(file, " \"max_ns\": %" PRIu64 ",\n     \"percentiles\": {", max_);
    const char* comma = "";
    for (const double part : {0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999, 0.999999}) {
      std::fprintf(file, "%s\"%g\": %" PRIu64, comma, part * 100, percentile(part));
      comma = ", ";
    }
    std::fprintf(file, "},\n     \"buckets\": [");
    comma = "";
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      if (counts_[i] == 0) continue;
      std::fprintf(file, "%s[%" PRIu64 ", %" PRIu64 "]", comma, lower_end(i), counts_[i]);
      comma = ", ";
    }
    std::fprintf(file, "]");
  }

 private:
  static std::size_t index_of(std::uint64_t value) {
    if (value < 8) return value;
    const auto doubling = static_cast<std::size_t>(std::bit_width(value)) - 4;
    return doubling * 8 + static_cast<std::size_t>(value >> doubling);
  }
  static std::uint64_t lower_end(std::size_t index) {
    if (index < 16) return index;
    const std::size_t doubling = index / 8 - 1;
    return static_cast<std::uint64_t>(index - doubling * 8) << doubling;
  }

  std::array<std::uint64_t, 8 * 64> counts_{};
  std::uint64_t total_ = 0;
  std::uint64_t max_ = 0;
};

}  // namespace bench
