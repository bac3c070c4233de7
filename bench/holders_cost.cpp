// SPDX-License-Identifier: MIT
// holders_cost: what the search for holders costs, by the threads and the memory of the program.
//
// ROWS    holders/threads/N: policy `threads` with N threads that sleep; holders/all_threads/N: policy `all` with them,
//         which stops each; holders/running/N: policy `threads` with N threads that run, which stops each, too, and
//         `gap_us`, the longest time that one of them missed in a search, in the middle of all searches.
//         holders/memory/N: policy `all` in a program that uses N MB of memory; holders/held/N: the same when a block
//         of a heap of N MB has a pointer into the library, so that it is named.
#include <dlfcn.h>
#include <malloc.h>
#include <semaphore.h>
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <memory>
#include <thread>
#include <vector>

#include <autoreload/holders.hpp>

#include "callee_paths.hpp"
#include "harness/harness.hpp"

namespace bench {
namespace {

using autoreload::unload_policy;
using clock = std::chrono::steady_clock;

const autoreload::held_image& image() {
  static const autoreload::held_image one = [] {
    void* const handle = dlopen(callee_builds[0], RTLD_NOW);
    const auto found = autoreload::image_at(handle == nullptr ? nullptr : dlsym(handle, "callee_build"));
    return found ? *found : autoreload::held_image{};
  }();
  return one;
}

// @return whether the search was complete and found as many as it should
bool look(benchmark::State& state, unload_policy policy, std::size_t holders = 0) {
  const autoreload::holder_report report = autoreload::who_holds(image(), policy);
  if (!image().segments.empty() && report.complete() && report.holders.size() == holders) return true;
  state.SkipWithError(report.complete() ? "another number of holders was found" : report.unseen.c_str());
  return false;
}

class sleepers {
 public:
  explicit sleepers(std::int64_t count) {
    sem_init(&over_, 0, 0);
    for (std::int64_t i = 0; i < count; ++i) threads_.emplace_back([this] { sem_wait(&over_); });
  }
  sleepers(const sleepers&) = delete;
  sleepers& operator=(const sleepers&) = delete;
  ~sleepers() {
    for (std::size_t i = 0; i < threads_.size(); ++i) sem_post(&over_);
    for (std::thread& one : threads_) one.join();
    sem_destroy(&over_);
  }

 private:
  sem_t over_{};
  std::vector<std::thread> threads_;
};

void asleep(benchmark::State& state, unload_policy policy) {
  const sleepers all(state.range(0));
  for (auto _ : state) {
    if (!look(state, policy)) return;
  }
}

// Threads that note the longest time in which they did not run.
class runners {
 public:
  explicit runners(std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) threads_.emplace_back([this] { run(); });
  }
  runners(const runners&) = delete;
  runners& operator=(const runners&) = delete;
  ~runners() {
    over_ = true;
    for (std::thread& one : threads_) one.join();
  }
  // Since it was asked last, in nanoseconds.
  [[nodiscard]] std::int64_t longest_gap() { return longest_.exchange(0); }

 private:
  void run() {
    auto before = clock::now();
    while (!over_) {
      const auto now = clock::now();
      const std::int64_t gap = std::chrono::nanoseconds(now - before).count();
      before = now;
      std::int64_t longest = longest_.load(std::memory_order_relaxed);
      while (gap > longest && !longest_.compare_exchange_weak(longest, gap)) {
      }
    }
  }

  std::atomic<bool> over_{false};
  std::atomic<std::int64_t> longest_{0};
  std::vector<std::thread> threads_;
};

void running(benchmark::State& state) {
  runners all(state.range(0));
  std::vector<double> gaps;
  for (auto _ : state) {
    (void)all.longest_gap();
    if (!look(state, unload_policy::threads)) return;
    gaps.push_back(static_cast<double>(all.longest_gap()) / 1000.0);
  }
  state.counters["gap_us"] = median(gaps);
}

void memory(benchmark::State& state) {
  const std::size_t size = static_cast<std::size_t>(state.range(0)) << 20;
  void* const used = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (used == MAP_FAILED) return state.SkipWithError("no memory");
  madvise(used, size, MADV_NOHUGEPAGE);  // as a heap that grew bit by bit
  std::memset(used, 1, size);
  for (auto _ : state) {
    if (!look(state, unload_policy::all)) break;
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(size));
  munmap(used, size);
}

struct node {
  std::unique_ptr<node> next;
  void* target = nullptr;
  char more[32] = {};
};

void held(benchmark::State& state) {
  const std::size_t count = (static_cast<std::size_t>(state.range(0)) << 20) / (sizeof(node) + 16);
  std::unique_ptr<node> list;
  for (std::size_t i = 0; i < count; ++i) {
    auto first = std::make_unique<node>();
    first->next = std::move(list);
    list = std::move(first);
    if (i == count / 2) list->target = reinterpret_cast<void*>(image().base + image().segments.front().offset + 64);
  }
  for (auto _ : state) {
    if (!look(state, unload_policy::all, 1)) break;
  }
  while (list != nullptr) list = std::move(list->next);  // not by recursion
#ifdef __GLIBC__
  malloc_trim(0);  // or the next row has that memory, too
#endif
}

}  // namespace

void register_benchmarks(arguments&) {
  const auto add = [](const char* name, const char* label, std::vector<std::int64_t> sizes, auto run) {
    auto* const made = benchmark::RegisterBenchmark(name, [label, run](benchmark::State& state) {
      run(state);
      state.SetLabel(label);
    });
    for (const std::int64_t size : sizes) made->Arg(size);
    made->UseRealTime()->Unit(benchmark::kMicrosecond);
  };
  add("holders/threads", "policy threads, so many threads that sleep", {1, 10, 100},
      [](auto& state) { asleep(state, unload_policy::threads); });
  add("holders/all_threads", "policy all, so many threads that sleep", {1, 10, 100},
      [](auto& state) { asleep(state, unload_policy::all); });
  add("holders/running", "policy threads, so many threads that run", {1, 4}, running);
  add("holders/memory", "policy all, so many MB of memory in use", {10, 100, 1024}, memory);
  add("holders/held", "policy all, a holder in a heap of so many MB", {10, 100, 1024}, held);
}

}  // namespace bench
