// SPDX-License-Identifier: MIT
// harness: what all benchmark programs share: main(), the defaults of a run, percentiles.
#pragma once

#include <benchmark/benchmark.h>

#include <vector>

#include "arguments.hpp"

namespace bench {

/// Each program defines it: registers its rows. Runs once, before any benchmark.
void register_benchmarks(arguments& given);

/// 1, 2, 4, … up to a bit more than this machine has cores, and the number of its cores.
[[nodiscard]] std::vector<int> thread_counts();

/// Puts p50, p90, p99 and max of times in microseconds among a row's counters.
void report_percentiles(benchmark::State& state, std::vector<double> microseconds);
/// The middle one. @param values not empty
[[nodiscard]] double median(std::vector<double> values);

}  // namespace bench
