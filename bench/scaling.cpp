// SPDX-License-Identifier: MIT
// scaling: how the latency and the memory of a reload grow, one axis at a time.
//
// A row `scale/<axis>/<value>` reloads one library again and again between two builds of it. The time is from the
// rename that finishes the file to the first call that returns the new value. Making the libraries, waiting for the
// old version to leave and reading /proc are outside of it.
//
// OPTIONS  --short=1: fewer and smaller libraries. --rounds=N: reloads for each row.
//          --reloads=N: how far the axis `reloads` goes, in powers of ten. --directory=PATH: where the libraries are,
//          and so on which file system.
// BESIDE   each row has `bare_us`, the loader's share, and `copied_us`, a copy of the file and the loader's share, in
//          the same rounds, on new files, while nothing else of the process runs.
//
// SHARED  busy_callers' numbers: `wanted` and then `round` are written by the measuring thread before the rename; the
//         first caller that gets that value in that round raises `seen_in` to it, stores the time and raises the
//         semaphore that the measuring thread waits for, which makes the time visible. The round is released and
//         acquired, so that who reads it has the value that is wanted in it, or a later one.
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <autoreload/autoreload.hpp>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <semaphore>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "harness/directory.hpp"
#include "harness/harness.hpp"
#include "scaling/footprint.hpp"
#include "scaling/other_ways.hpp"
#include "scaling/subject.hpp"

namespace bench {
namespace {

using bench_clock = std::chrono::steady_clock;

constexpr std::chrono::seconds patience{300};  // 256 MB on a machine that others use, too

struct subject_api {
  autoreload::required_as<"value", int()> value;
};
using library = autoreload::reloadable<subject_api>;

double microseconds(bench_clock::duration time) { return std::chrono::duration<double, std::micro>(time).count(); }

// Repetitions of a row come back to the same library, so each is made once.
const subject& subject_for(const recipe& wanted) {
  static std::list<std::pair<recipe, subject>> made;
  const auto found = std::find_if(made.begin(), made.end(), [&](const auto& one) { return one.first == wanted; });
  if (found != made.end()) return found->second;
  return made.emplace_back(std::piecewise_construct, std::forward_as_tuple(wanted), std::forward_as_tuple(wanted))
      .second;
}

// What one reload took, microseconds.
struct sample {
  double latency;  // until the first call that returned the new value
  double notice;   // of it, until the engine was awake
  double called;   // of it, from the published version to the call
  double settled;  // until the old version had left and all else was done
  int loads;       // how often the one change was loaded
  autoreload::timings stages;
};

// Who makes the first call that returns the new value.
class caller {
 public:
  caller() = default;
  caller(const caller&) = delete;
  caller& operator=(const caller&) = delete;
  virtual ~caller() = default;
  virtual void expect(int value) = 0;
  virtual bench_clock::time_point first() = 0;  // waits for it
};

// The measuring thread itself.
class this_thread_calls final : public caller {
 public:
  explicit this_thread_calls(const library& lib) : lib_(lib) {}
  void expect(int value) override { wanted_ = value; }
  bench_clock::time_point first() override {
    const auto limit = bench_clock::now() + patience;
    for (std::uint64_t calls = 1; lib_->value() != wanted_; ++calls) {
      if (calls % 1'000'000 == 0 && bench_clock::now() > limit) throw std::runtime_error("the new version never came");
    }
    return bench_clock::now();
  }

 private:
  const library& lib_;
  int wanted_ = 0;
};

// As many threads as asked for that do nothing but call.
class busy_callers final : public caller {
 public:
  busy_callers(const library& lib, std::int64_t count) {
    for (std::int64_t i = 0; i != count; ++i) {
      threads_.emplace_back([this, &lib](const std::stop_token& stop) {
        while (!stop.stop_requested()) {
          // The round is read before the call: a value from an earlier round may be the one that is wanted now.
          const std::uint64_t round = round_.load(std::memory_order_acquire);
          if (lib->value() != wanted_.load(std::memory_order_relaxed)) continue;
          std::uint64_t last = seen_in_.load(std::memory_order_relaxed);
          if (last >= round || !seen_in_.compare_exchange_strong(last, round)) continue;
          first_ = bench_clock::now();
          seen_.release();
        }
      });
    }
  }
  void expect(int value) override {
    wanted_ = value;
    ++round_;
  }
  bench_clock::time_point first() override {
    if (!seen_.try_acquire_for(patience)) throw std::runtime_error("the new version never came");
    return first_;
  }

 private:
  std::atomic<int> wanted_{0};
  std::atomic<std::uint64_t> round_{0};
  std::atomic<std::uint64_t> seen_in_{0};
  std::binary_semaphore seen_{0};
  bench_clock::time_point first_{};
  std::vector<std::jthread> threads_;  // last: they use the rest
};

// Reloads a subject through an engine.
class reloader {
 public:
  explicit reloader(const subject& of) : subject_(of) {
    subject_.stage(0);
    subject_.put();
    lib_.emplace(subject_.path(), options());
    if (!lib_->loaded()) throw *lib_->last_failure();
    while (events_.next()) {  // the first generation's news belongs to no reload
    }
    callers_ = std::make_unique<this_thread_calls>(*lib_);
  }
  reloader(const reloader&) = delete;
  reloader& operator=(const reloader&) = delete;
  ~reloader() {
    callers_.reset();
    lib_.reset();
    std::filesystem::remove(subject_.path());
  }

  [[nodiscard]] const library& lib() const { return *lib_; }
  void let_call(std::unique_ptr<caller> callers) { callers_ = std::move(callers); }

  sample once() {
    version_ = 1 - version_;
    subject_.stage(version_);
    callers_->expect(subject::value_of(version_));
    const auto start = bench_clock::now();
    subject_.put();
    const auto called = callers_->first();
    sample took{microseconds(called - start), 0, 0, 0, 0, {}};
    std::string stays_because;
    for (bool left = false; !left;) {
      const auto happened = events_.next(patience);
      if (!happened) throw std::runtime_error("the old version stays" + stays_because);
      switch (happened->kind) {
        case autoreload::event_kind::refused: throw *happened->failure;
        case autoreload::event_kind::retained: stays_because = ": " + happened->text; break;  // for now
        case autoreload::event_kind::loaded:
          ++took.loads;
          took.stages = happened->times;
          took.notice = microseconds(loaded_at_ - start - happened->times.total);
          took.called = microseconds(called - loaded_at_);
          break;
        case autoreload::event_kind::unloaded: left = happened->generation + 1 == lib_->generation(); break;
        default: break;
      }
    }
    took.settled = microseconds(bench_clock::now() - start);
    return took;
  }

 private:
  autoreload::options options() {
    autoreload::options chosen;
    chosen.observer = [this, tell = events_.observer()](const autoreload::event& happened) {
      if (happened.kind == autoreload::event_kind::loaded) {
        loaded_at_ = bench_clock::now();
      }
      tell(happened);
    };
    return chosen;
  }

  const subject& subject_;
  autoreload::event_queue events_;
  bench_clock::time_point loaded_at_{};  // the queue's lock makes it visible
  int version_ = 0;
  std::optional<library> lib_;
  std::unique_ptr<caller> callers_;
};

template <class Take>
double middle(const std::vector<sample>& samples, Take take) {
  std::vector<double> values;
  for (const sample& one : samples) values.push_back(take(one));
  return median(std::move(values));
}

// The stages of one reload, or the medians of many.
template <class Take>
void report_stages(benchmark::State& state, const std::string& prefix, const Take& take) {
  const auto stage = [&](const char* name, autoreload::timings::duration autoreload::timings::*member) {
    state.counters[prefix + name] = take([member](const sample& one) { return microseconds(one.stages.*member); });
  };
  state.counters[prefix + "notice_us"] = take([](const sample& one) { return one.notice; });
  stage("snapshot_us", &autoreload::timings::snapshot);
  stage("inspect_us", &autoreload::timings::inspect);
  stage("load_us", &autoreload::timings::load);
  stage("verify_us", &autoreload::timings::verify);
  stage("publish_us", &autoreload::timings::publish);
  state.counters[prefix + "called_us"] = take([](const sample& one) { return one.called; });
}

void report_times(benchmark::State& state, const std::vector<sample>& samples) {
  std::vector<double> latencies;
  for (const sample& one : samples) latencies.push_back(one.latency);
  report_percentiles(state, std::move(latencies));
  report_stages(state, "", [&](auto of) { return middle(samples, of); });
  // The fastest reload is the one that others on the machine disturbed least: it shows what the work itself takes.
  const auto fastest = std::min_element(samples.begin(), samples.end(),
                                        [](const sample& a, const sample& b) { return a.latency < b.latency; });
  state.counters["fastest_us"] = fastest->latency;
  report_stages(state, "fastest_", [&](auto of) { return of(*fastest); });
  state.counters["settled_us"] = middle(samples, [](const sample& one) { return one.settled; });
  double loads = 0;
  for (const sample& one : samples) loads += one.loads;
  state.counters["loads_per_change"] = loads / static_cast<double>(samples.size());
}

void report_memory(benchmark::State& state, const std::string& name) {
  const auto number = [](std::uint64_t value) { return static_cast<double>(value); };
  const generation_footprint one = footprint_of(name);
  state.counters["mapped_kb"] = number(one.mapped);
  state.counters["resident_kb"] = number(one.resident);
  state.counters["own_kb"] = number(one.own);
  state.counters["snapshot_kb"] = number(one.snapshot);
  const process_footprint all = footprint_of_process();
  state.counters["process_kb"] = number(all.resident);
  state.counters["mappings"] = number(all.mappings);
  state.counters["descriptors"] = number(all.descriptors);
  state.counters["threads_in_process"] = number(all.threads);
}

// Google Benchmark ends the program when a repetition fails before its loop: so the loop is always entered.
void give_up(benchmark::State& state, const std::exception& failure) {
  state.SkipWithError(failure.what());
  (void)state.KeepRunning();
}

// What is to be there beside the library that is reloaded.
using surroundings = std::function<std::shared_ptr<void>(reloader&)>;

void reload_one(benchmark::State& state, const recipe& wanted, const surroundings& with) {
  try {
    const subject& of = subject_for(wanted);
    reloader engine(of);
    const std::shared_ptr<void> beside = with ? with(engine) : nullptr;
    engine.once();  // warms caches and buffers up
    std::vector<sample> samples;
    std::vector<double> bare, copied;
    for ([[maybe_unused]] auto _ : state) {
      samples.push_back(engine.once());
      state.SetIterationTime(samples.back().latency / 1e6);
      // In turns, so that the machine's noise hits all alike.
      bare.push_back(microseconds(open_it_bare(of)));
      copied.push_back(microseconds(copy_and_open_it(of)));
    }
    report_times(state, samples);
    report_memory(state, "libsubject.so");
    state.counters["file_kb"] = static_cast<double>(of.file_size()) / 1024;
    state.counters["bare_us"] = median(std::move(bare));
    state.counters["copied_us"] = median(std::move(copied));
  } catch (const std::exception& failure) {
    give_up(state, failure);
  }
}

// Other libraries that the same process watches.
std::shared_ptr<void> watch_others(std::int64_t count) {
  struct others {
    bench::directory directory{bench::directory::on::memory};
    std::list<library> watched;
  };
  auto made = std::make_shared<others>();
  for (std::int64_t i = 0; i != count; ++i) {
    const std::string path = made->directory / ("libother" + std::to_string(i) + ".so");
    subject_for({}).copy(0, path);
    if (!made->watched.emplace_back(path).loaded()) throw *made->watched.back().last_failure();
  }
  return made;
}

// Threads that have called once and now wait for something else.
std::shared_ptr<void> idle_threads(const library& lib, std::int64_t count) {
  auto threads = std::make_shared<std::vector<std::jthread>>();
  const auto called = std::make_shared<std::atomic<std::int64_t>>(0);
  for (std::int64_t i = 0; i != count; ++i) {
    threads->emplace_back([called, &lib](const std::stop_token& stop) {
      benchmark::DoNotOptimize(lib->value());
      ++*called;
      called->notify_one();
      std::atomic<bool> stopped{false};
      const std::stop_callback wake(stop, [&] {
        stopped = true;
        stopped.notify_one();
      });
      stopped.wait(false);
    });
  }
  for (std::int64_t now = 0; (now = *called) != count;) called->wait(now);
  return threads;
}

// One library reloaded very often: the series is run once, and the row `scale/reloads/N` shows its part (N/10, N].
class long_series {
 public:
  struct mark {
    std::int64_t reloads;
    process_footprint process;
    generation_footprint generation;
  };

  explicit long_series(const std::vector<std::int64_t>& marks) {
    reloader engine(subject_for({}));
    samples_.resize(static_cast<std::size_t>(marks.back()));  // touched now, so that it is no growth later
    marks_.reserve(marks.size());
    for (std::size_t i = 0; i != samples_.size(); ++i) {
      samples_[i] = engine.once();
      const auto done = static_cast<std::int64_t>(i) + 1;
      if (std::find(marks.begin(), marks.end(), done) != marks.end()) {
        marks_.push_back({done, footprint_of_process(), footprint_of("libsubject.so")});
      }
    }
  }

  void show(benchmark::State& state, std::int64_t reloads) const {
    const auto end = samples_.begin() + reloads;
    std::vector<sample> part(samples_.begin() + reloads / 10, end);
    auto next = part.begin();
    for ([[maybe_unused]] auto _ : state) state.SetIterationTime(next++->latency / 1e6);
    report_times(state, part);
    for (const mark& at : marks_) {
      if (at.reloads != reloads) continue;
      state.counters["process_kb"] = static_cast<double>(at.process.resident);
      state.counters["mappings"] = static_cast<double>(at.process.mappings);
      state.counters["descriptors"] = static_cast<double>(at.process.descriptors);
      state.counters["threads_in_process"] = static_cast<double>(at.process.threads);
      state.counters["mapped_kb"] = static_cast<double>(at.generation.mapped);
    }
  }

 private:
  std::vector<sample> samples_;
  std::vector<mark> marks_;
};

constexpr std::int64_t kb = 1024;
constexpr std::int64_t mb = 1024 * kb;
constexpr std::int64_t smallest = 16 * kb;  // what a library of one function takes

class suite {
 public:
  suite(bool brief, std::int64_t rounds, std::int64_t reloads) : brief_(brief), rounds_(rounds), reloads_(reloads) {}

  void register_all() const {
    const auto beyond = [](std::int64_t size) { return static_cast<std::uint64_t>(std::max(size - smallest, kb * 0)); };
    const auto count = [](std::int64_t value) { return static_cast<unsigned>(value); };
    axis("size", {smallest, 64 * kb, 256 * kb, mb, 4 * mb, 16 * mb, 64 * mb, 256 * mb},
         {smallest, 256 * kb, 4 * mb, 16 * mb}, [&](std::int64_t size) { return recipe{.loaded = beyond(size)}; });
    axis("debug_size", {smallest, 64 * kb, 256 * kb, mb, 4 * mb, 16 * mb, 64 * mb, 256 * mb},
         {smallest, 256 * kb, 4 * mb, 16 * mb}, [&](std::int64_t size) { return recipe{.debug = beyond(size)}; });
    axis("functions", {1, 10, 100, 1'000, 10'000}, {1, 100, 10'000},
         [&](std::int64_t n) { return recipe{.functions = count(n)}; });
    axis("relocations", {0, 1'000, 10'000, 30'000, 100'000}, {0, 10'000, 100'000},
         [&](std::int64_t n) { return recipe{.relocations = count(n)}; });
    axis("bindings", {0, 100, 1'000, 10'000}, {0, 1'000, 10'000},
         [&](std::int64_t n) { return recipe{.bindings = count(n)}; });
    axis("dependencies", {0, 1, 2, 4, 8, 16, 32}, {0, 8, 32},
         [&](std::int64_t n) { return recipe{.dependencies = count(n)}; });
    const auto plain = [](std::int64_t) { return recipe{}; };
    axis("watched", {1, 10, 30, 100, 300, 1'000}, {1, 10, 100}, plain,
         [](reloader&, std::int64_t n) { return watch_others(n - 1); });
    axis("threads", {1, 2, 4, 8, 16, 32, 64}, {1, 2, 8}, plain, [](reloader& engine, std::int64_t n) {
      engine.let_call(std::make_unique<busy_callers>(engine.lib(), n));
      return std::shared_ptr<void>();
    });
    axis("threads_idle", {0, 1, 10, 100, 1'000}, {0, 10, 100}, plain,
         [](reloader& engine, std::int64_t n) { return idle_threads(engine.lib(), n); });

    static std::vector<std::int64_t> marks;
    for (std::int64_t mark = 1; mark <= reloads_; mark *= 10) marks.push_back(mark);
    for (const std::int64_t mark : marks) {
      const auto row = [mark](benchmark::State& state) {
        try {
          static const long_series series(marks);
          series.show(state, mark);
        } catch (const std::exception& failure) {
          give_up(state, failure);
        }
      };
      finish(benchmark::RegisterBenchmark(name("reloads", mark).c_str(), row), mark - mark / 10)->Repetitions(1);
    }
  }

 private:
  static std::string name(const char* axis, std::int64_t value) {
    return std::string("scale/") + axis + "/" + std::to_string(value);
  }

  static benchmark::internal::Benchmark* finish(benchmark::internal::Benchmark* row, std::int64_t iterations) {
    return row->UseManualTime()->Unit(benchmark::kMicrosecond)->Iterations(iterations);
  }

  template <class Recipe>
  void axis(const char* axis, const std::vector<std::int64_t>& all, const std::vector<std::int64_t>& some,
            const Recipe& wanted,
            const std::function<std::shared_ptr<void>(reloader&, std::int64_t)>& with = {}) const {
    for (const std::int64_t value : brief_ ? some : all) {
      const recipe one = wanted(value);
      surroundings beside;
      if (with) beside = [with, value](reloader& engine) { return with(engine, value); };
      const auto row = [one, beside](benchmark::State& state) { reload_one(state, one, beside); };
      const bool large = one.loaded + one.debug > 32 * static_cast<std::uint64_t>(mb);
      finish(benchmark::RegisterBenchmark(name(axis, value).c_str(), row),
             large ? std::min<std::int64_t>(rounds_, 8) : rounds_);
    }
  }

  bool brief_;
  std::int64_t rounds_;
  std::int64_t reloads_;
};

// A descriptor for each watched library: more than the 1,024 that a shell allows at first.
void allow_many_descriptors() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

void register_benchmarks(arguments& given) {
  allow_many_descriptors();
  if (const std::string parent = given.text("directory", ""); !parent.empty()) subject::make_in(parent);
  benchmark::AddCustomContext("directory", subject::file_system());
  const bool brief = given.text("short", "0") != "0";
  suite(brief, given.number("rounds", brief ? 20 : 100), given.number("reloads", brief ? 1'000 : 100'000))
      .register_all();
}

}  // namespace bench
