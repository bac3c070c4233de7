// SPDX-License-Identifier: MIT
// counts: what programs share that count how often something took how long: turns, the file, main().
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "arguments.hpp"
#include "histogram.hpp"

namespace bench {

/// One series of such a program, for its file.
struct counted {
  std::string name;
  std::string label;
  std::uint64_t reloads = 0;
  const histogram* times = nullptr;
  std::string more{};  ///< further members of its JSON object: `"key": value,`
};

/// Writes them as the report reads them. @param context  members of a JSON object @return whether it could; errno
[[nodiscard]] bool write_counts(const std::string& path, const std::string& context, const std::vector<counted>& all);

/// Calls `run(series)` for each of them in each round, in random order that is the same in every run.
template <class Series, class Run>
void take_turns(std::vector<Series>& all, std::int64_t rounds, Run&& run) {
  std::vector<std::size_t> order(all.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::minstd_rand random(1);
  for (std::int64_t round = 0; round < std::max<std::int64_t>(1, rounds); ++round) {
    std::shuffle(order.begin(), order.end(), random);
    for (const std::size_t index : order) run(all[index]);
  }
}

/// A main(). Says what was thrown. @param name  of the program
int run_program(const char* name, int count, char** words, int (*run)(arguments));

}  // namespace bench
