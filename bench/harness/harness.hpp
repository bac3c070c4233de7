// SPDX-License-Identifier: MIT
// harness: what all benchmark programs share: main(), the defaults of a run, options of their own, percentiles.
#pragma once

#include <benchmark/benchmark.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace bench {

/// What is left of the command line once Google Benchmark took its flags. A program asks for the options it knows.
class arguments {
 public:
  arguments(int count, char** words) : words_(words + 1, words + count) {}

  /// The N of `--name=N`, or `otherwise`. Exits with a message when it is not a positive number.
  [[nodiscard]] std::int64_t number(std::string_view name, std::int64_t otherwise);
  /// The options that nobody asked for.
  [[nodiscard]] const std::vector<std::string>& rest() const noexcept { return words_; }

 private:
  std::vector<std::string> words_;
};

/// Each program defines it: registers its rows. Runs once, before any benchmark.
void register_benchmarks(arguments& given);

/// 1, 2, 4, … up to a bit more than this machine has cores, and the number of its cores.
[[nodiscard]] std::vector<int> thread_counts();

/// Puts p50, p90, p99 and max of times in microseconds among a row's counters.
void report_percentiles(benchmark::State& state, std::vector<double> microseconds);
/// The middle one. @param values not empty
[[nodiscard]] double median(std::vector<double> values);

}  // namespace bench
