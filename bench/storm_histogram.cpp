// SPDX-License-Identifier: MIT
// storm_histogram: how long single calls take while libraries are reloaded all the time: does a reload make any wait?
//
// Three kinds of weather, in short slices in random order: `calm`, the caller alone; `busy`, beside a thread that only
// counts; `storm`, beside a thread that replaces the library without pause. What the scheduler does to a caller that
// shares the machine shows in `busy`: a call in a `storm` should not be slower than that. Every call is looked at: the
// clock is read once between two calls, so an interruption can't hide.
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "harness/counts.hpp"
#include "idioms/idiom.hpp"
#include "idioms/storm.hpp"

namespace bench {
namespace {

using steady = std::chrono::steady_clock;

enum class weather { calm, busy, storm };
constexpr std::array weathers{weather::calm, weather::busy, weather::storm};

const char* name_of(weather kind) {
  switch (kind) {
    case weather::calm: return "calm";
    case weather::busy: return "busy";
    case weather::storm: return "storm";
  }
  return "";
}

long switches() {  // how often this thread was made to wait for a processor
  rusage used{};
  getrusage(RUSAGE_THREAD, &used);
  return used.ru_nivcsw;
}

struct series {
  idiom_kind kind;
  weather sky;
  std::shared_ptr<idiom> called;
  histogram times;
  std::uint64_t reloads = 0;
  long interruptions = 0;

  void run(std::chrono::milliseconds slice) {
    std::optional<storm> beside;
    if (sky == weather::storm) {
      beside.emplace([this] { called->replace(); });
    } else if (sky == weather::busy) {
      beside.emplace([] {});
    }
    called->enter();
    std::int32_t x = called->run(1000, 0);
    const long before = switches();
    auto last = steady::now();
    for (const auto end = last + slice; last < end;) {
      x = called->run(1, x);
      const auto now = steady::now();
      times.add(static_cast<std::uint64_t>(std::chrono::nanoseconds(now - last).count()));
      last = now;
    }
    interruptions += switches() - before;
    asm volatile("" : : "r"(x));
    called->leave();
    if (sky == weather::storm) reloads += beside->count();
  }

  [[nodiscard]] std::string name() const { return std::string("call/") + kind.name + "/" + name_of(sky); }
};

void print_table(const std::vector<series>& all) {
  std::printf("%-34s %12s %8s %8s %8s %8s %8s %10s %12s\n", "one call, ns", "calls", "p50", "p99", "p99.9", "p99.99",
              "max", "reloads", "interrupted");
  for (const series& one : all) {
    const auto at = [&](double part) { return static_cast<unsigned long long>(one.times.percentile(part)); };
    std::printf("%-34s %12llu %8llu %8llu %8llu %8llu %8llu %10llu %12ld\n", one.name().c_str(),
                static_cast<unsigned long long>(one.times.total()), at(0.5), at(0.99), at(0.999), at(0.9999),
                static_cast<unsigned long long>(one.times.max()), static_cast<unsigned long long>(one.reloads),
                one.interruptions);
  }
}

// What the engine promises, its floor, and what others do to be safe.
bool is_of_interest(const std::string& name) {
  constexpr std::array wanted{"raw_pointer", "reloadable", "atomic_shared_ptr", "shared_mutex", "liburcu_memb"};
  return std::find(wanted.begin(), wanted.end(), name) != wanted.end();
}

int run(arguments given) {
  const std::int64_t seconds = given.number("seconds", 30);
  const std::int64_t slice = given.number("slice-ms", 100);
  const std::string out = given.text("out", "");
  given.expect_no_more();

  std::vector<series> all;
  for (const idiom_kind& kind : all_idioms()) {
    if (!is_of_interest(kind.name)) continue;
    const std::shared_ptr<idiom> shared = kind.make();
    for (const weather sky : weathers) all.push_back({kind, sky, shared, {}});
  }
  take_turns(all, seconds * 1000 / (slice * static_cast<std::int64_t>(all.size())),
             [&](series& next) { next.run(std::chrono::milliseconds(slice)); });
  print_table(all);
  std::vector<counted> counts;
  for (const series& one : all) {
    counts.push_back({one.name(), one.kind.label, one.reloads, &one.times,
                      " \"interruptions\": " + std::to_string(one.interruptions) + ","});
  }
  const std::string context =
      "\"seconds\": " + std::to_string(seconds) + ", \"cores\": " + std::to_string(std::thread::hardware_concurrency());
  if (!out.empty() && !write_counts(out, context, counts)) {
    std::perror(out.c_str());
    return EXIT_FAILURE;
  }
  return EXIT_SUCCESS;
}

}  // namespace
}  // namespace bench

int main(int count, char** words) { return bench::run_program("storm_histogram", count, words, &bench::run); }
