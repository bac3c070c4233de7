// SPDX-License-Identifier: MIT
// series: things that are measured one after the other in shuffled rounds, so that the machine's noise hits all alike.
#pragma once

#include <benchmark/benchmark.h>

#include <autoreload/event.hpp>
#include <chrono>
#include <cstddef>
#include <deque>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "placement.hpp"

namespace bench {

using steady = std::chrono::steady_clock;

/// Longer than any machine needs, so that only a hang runs into it.
inline constexpr std::chrono::seconds patience{60};

[[nodiscard]] inline double microseconds(steady::duration time) {
  return std::chrono::duration<double, std::micro>(time).count();
}

/// One reload.
struct sample {
  steady::duration total{};                   ///< from the complete file to the new value
  std::optional<autoreload::timings> stages;  ///< the engine's own account
  std::optional<steady::duration> built;      ///< feel/: when the compiler had ended, on the same clock as total
};

class series {
 public:
  series() = default;
  series(const series&) = delete;
  series& operator=(const series&) = delete;
  virtual ~series() = default;
  /// Makes one reload happen, from start to end. @throws std::exception
  virtual sample measure() = 0;
};

/// Some series, each of which is a row of Google Benchmark. A row asks for one sample after the other; when it has none
/// left, all series are measured once, in random order.
class interleaved {
 public:
  explicit interleaved(const placement& where) : where_(where) {}
  /// @param make  builds the series when the first row runs
  void add(std::string name, std::string label, std::unique_ptr<series> (*make)());
  /// Registers a row for each series, which takes `rounds` samples.
  static void register_rows(const std::shared_ptr<interleaved>& all, std::int64_t rounds);

 private:
  struct member {
    std::string name;
    std::string label;
    std::unique_ptr<series> (*make)();
    std::unique_ptr<series> measured;
    std::deque<sample> ready;
  };

  static sample measure(member& one);
  sample next(std::size_t index);
  void run(std::size_t index, benchmark::State& state);

  placement where_;
  std::vector<member> members_;
  std::minstd_rand random_{1};
};

}  // namespace bench
