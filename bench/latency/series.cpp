// SPDX-License-Identifier: MIT
// series: shuffles, and turns samples into rows.
#include "series.hpp"

#include <algorithm>
#include <exception>
#include <numeric>
#include <stdexcept>
#include <utility>

#include "../harness/harness.hpp"
#include "reload/words/timed_stages.hpp"

namespace bench {

void interleaved::add(std::string name, std::string label, std::unique_ptr<series> (*make)()) {
  members_.push_back({std::move(name), std::move(label), make, nullptr, {}});
}

// Whoever reads the failure sees a row that may have been another's turn.
sample interleaved::measure(member& one) {
  try {
    return one.measured->measure();
  } catch (const std::exception& failure) {
    throw std::runtime_error(one.name + ": " + failure.what());
  }
}

sample interleaved::next(std::size_t index) {
  if (members_[index].ready.empty()) {
    for (member& one : members_) {
      if (one.measured == nullptr) {
        where_.make_threads([&] { one.measured = one.make(); });
        (void)one.measured->measure();  // the first is slower: paths, caches and heaps are cold
      }
    }
    std::vector<member*> order;
    for (member& one : members_) order.push_back(&one);
    std::shuffle(order.begin(), order.end(), random_);
    for (member* const one : order) one->ready.push_back(measure(*one));
  }
  const sample first = members_[index].ready.front();
  members_[index].ready.pop_front();
  return first;
}

void interleaved::run(std::size_t index, benchmark::State& state) {
  std::vector<sample> samples;
  try {
    for (auto _ : state) {
      samples.push_back(next(index));
      state.SetIterationTime(std::chrono::duration<double>(samples.back().total).count());
    }
  } catch (const std::exception& failure) {
    state.SkipWithError(failure.what());
    return;
  }
  state.SetLabel(members_[index].label);

  const auto each = [&](auto of) {
    std::vector<double> values;
    for (const sample& one : samples) values.push_back(microseconds(of(one)));
    return values;
  };
  report_percentiles(state, each([](const sample& one) { return one.total; }));
  if (samples.front().stages) {
    using autoreload::timings;
    const auto stage = [&](const std::string& name, timings::duration timings::*which) {
      state.counters[name] = median(each([which](const sample& one) { return (*one.stages).*which; }));
    };
    for (const autoreload::timed_stage& one : autoreload::timed_stages) stage(std::string(one.name) + "_us", one.time);
    stage("engine_us", &timings::total);
    // What is left: the writer's own rename or close, the wake-up of whoever watches, and the call's way to the news.
    state.counters["outside_us"] = median(each([](const sample& one) { return one.total - one.stages->total; }));
  }
  if (samples.front().built) {
    state.counters["compiler_us"] = median(each([](const sample& one) { return *one.built; }));
  }
}

void interleaved::register_rows(const std::shared_ptr<interleaved>& all, std::int64_t rounds) {
  for (std::size_t index = 0; index < all->members_.size(); ++index) {
    benchmark::RegisterBenchmark(all->members_[index].name.c_str(),
                                 [all, index](benchmark::State& state) { all->run(index, state); })
        ->Iterations(rounds)
        ->Repetitions(1)
        ->UseManualTime()
        ->Unit(benchmark::kMicrosecond);
  }
}

}  // namespace bench
