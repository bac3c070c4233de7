// SPDX-License-Identifier: MIT
// call_overhead: what one call into a library costs, idiom by idiom, at 1, 2, 4 … threads, calm and while libraries are
// reloaded all the time.
//
// ROWS    call/<idiom>, call/<idiom>/threads:N, call/<idiom>/storm/threads:N. Read cpu_time: nanoseconds of a thread's
//         own time for each call. (real_time is what the whole machine takes for each call of any thread: it shrinks
//         with every thread that doesn't disturb the others, and grows with whatever else the machine does.)
// SHARED  one idiom by all threads of a row. The first thread to come makes it, the last to go destroys it, under the
//         mutex; in between stand Google Benchmark's barriers before and after the timed loop.
#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "harness/harness.hpp"
#include "idioms/idiom.hpp"
#include "idioms/storm.hpp"

namespace bench {
namespace {

constexpr int batch = 1000;  // calls between two looks at Google Benchmark's counter

class row {
 public:
  row(const idiom_kind& kind, bool stormy) : kind_(kind), stormy_(stormy) {}

  void run(benchmark::State& state) {
    idiom& called = enter();
    called.enter();
    std::int32_t x = 0;
    while (state.KeepRunningBatch(batch)) x = called.run(batch, x);
    benchmark::DoNotOptimize(x);
    called.leave();
    if (state.thread_index() == 0) {
      state.SetLabel(kind_.label);
      if (storm_) state.counters["reloads"] = static_cast<double>(storm_->count());
    }
    leave();
  }

 private:
  idiom& enter() {
    const std::lock_guard lock(mutex_);
    if (users_++ == 0) {
      idiom_ = kind_.make();
      if (stormy_) {
        idiom_->replace();
        storm_ = std::make_unique<storm>([target = idiom_.get()] { target->replace(); });
      }
    }
    return *idiom_;
  }

  void leave() {
    const std::lock_guard lock(mutex_);
    if (--users_ > 0) return;
    storm_.reset();
    idiom_.reset();
  }

  const idiom_kind kind_;
  const bool stormy_;
  std::mutex mutex_;
  int users_ = 0;
  std::unique_ptr<idiom> idiom_;
  std::unique_ptr<storm> storm_;
};

benchmark::internal::Benchmark* add_row(const idiom_kind& kind, bool stormy) {
  const std::string name = std::string("call/") + kind.name + (stormy ? "/storm" : "");
  const auto measured = std::make_shared<row>(kind, stormy);
  return benchmark::RegisterBenchmark(name.c_str(), [measured](benchmark::State& state) { measured->run(state); });
}

}  // namespace

void register_benchmarks(arguments&) {
  // shared_ptr leaves atomics out while a program has one thread. One that reloads libraries has more.
  static std::atomic<bool> never{false};
  std::thread([] { never.wait(false); }).detach();

  for (const idiom_kind& kind : all_idioms()) {
    add_row(kind, false);
    for (const int threads : thread_counts()) add_row(kind, false)->Threads(threads);
    if (kind.weather != idiom_kind::stormy) continue;
    for (const int threads : thread_counts()) add_row(kind, true)->Threads(threads);
  }
}

}  // namespace bench
