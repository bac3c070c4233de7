// SPDX-License-Identifier: MIT
// frame_histogram: how long a frame's poll() and calls take, in a loop of frames with a reload every second: is a frame
// late because of one?
//
// Three loops in turns, each for as long as from one reload to the next, in random order: `poll/calm`, in which
// nothing is rebuilt; `poll/storm`, poll() with as much time as it takes; `budget/storm`, with poll(100us).
//
// OPTIONS  --seconds=N (30). --frame-us=N (2000): how long a frame is; what is left of it is slept. --reload-ms=N
//          (1000): from one reload to the next. --out=FILE: the counts, as JSON.
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "harness/counts.hpp"
#include "latency/engine_series.hpp"

namespace bench {
namespace {

using library = watched_callee<autoreload::symbols::backend>;

// A library in a directory of its own, whose builds take turns.
class rebuilt {
 public:
  [[nodiscard]] library& watched() noexcept { return watched_; }
  void build_next() {
    number_ = static_cast<std::int32_t>(++count_ % builds_.size());
    (void)deliver(arrival::renamed, watched_.path(), staging_, builds_[static_cast<std::size_t>(number_)]);
  }
  [[nodiscard]] bool is_newest() { return watched_.library().frame().build() == number_; }

 private:
  std::vector<bytes> builds_ = read_builds();
  std::size_t count_ = 0;
  std::int32_t number_ = 0;
  directory staging_{directory::on::memory};
  library watched_{directory::on::memory, autoreload::watch_mode::inotify, autoreload::drive_mode::manual};
};

struct frame_loop {
  const char* name;
  const char* label;
  bool reloads_it;
  std::chrono::nanoseconds budget;
  histogram times{};
  std::uint64_t reloads = 0;

  // The build is written before the first frame: who builds is another program.
  void run(rebuilt& one, std::chrono::microseconds frame, std::chrono::milliseconds slice) {
    auto& lib = one.watched().library();
    if (reloads_it) one.build_next();
    const auto end = steady::now() + slice;
    for (auto start = steady::now(); start < end; start = steady::now()) {
      lib.poll(budget);
      std::int32_t x = 0;
      for (int call = 0; call != 100; ++call) x = lib.frame().step(x);
      const auto took = steady::now() - start;
      asm volatile("" : : "r"(x));
      times.add(static_cast<std::uint64_t>(std::chrono::nanoseconds(took).count()));
      std::this_thread::sleep_until(start + frame);
    }
    if (reloads_it && !one.is_newest()) throw std::runtime_error("the engine never loaded the build");
    reloads += reloads_it;
  }
};

void print_table(const std::vector<frame_loop>& all) {
  std::printf("%-22s %10s %8s %8s %8s %8s %10s\n", "one frame, us", "frames", "p50", "p99", "p99.9", "max", "reloads");
  for (const frame_loop& one : all) {
    const auto at = [&](double part) { return static_cast<double>(one.times.percentile(part)) / 1000; };
    std::printf("%-22s %10" PRIu64 " %8.1f %8.1f %8.1f %8.1f %10" PRIu64 "\n", one.name, one.times.total(), at(0.5),
                at(0.99), at(0.999), static_cast<double>(one.times.max()) / 1000, one.reloads);
  }
}

int run(arguments given) {
  const std::int64_t seconds = given.number("seconds", 30);
  const std::chrono::microseconds frame(given.number("frame-us", 2000));
  const std::chrono::milliseconds slice(given.number("reload-ms", 1000));
  const std::string out = given.text("out", "");
  given.expect_no_more();

  std::vector<frame_loop> all{{"frame/poll/calm", "poll()", false, std::chrono::nanoseconds::max()},
                              {"frame/poll/storm", "poll()", true, std::chrono::nanoseconds::max()},
                              {"frame/budget/storm", "poll(100us)", true, std::chrono::microseconds(100)}};
  rebuilt one;
  take_turns(all, seconds * 1000 / (slice.count() * std::ssize(all)),
             [&](frame_loop& next) { next.run(one, frame, slice); });
  print_table(all);
  std::vector<counted> counts;
  for (const frame_loop& each : all) counts.push_back({each.name, each.label, each.reloads, &each.times});
  if (!out.empty() && !write_counts(out, "\"seconds\": " + std::to_string(seconds), counts)) {
    std::perror(out.c_str());
    return EXIT_FAILURE;
  }
  return EXIT_SUCCESS;
}

}  // namespace
}  // namespace bench

int main(int count, char** words) { return bench::run_program("frame_histogram", count, words, &bench::run); }
