// SPDX-License-Identifier: MIT
// check_cost: what each check of a reload costs by itself, and the fence that a call does without.
//
// ROWS    check/inspect, check/digest, check/trust*, check/trial*; check/fork* is what a trial by a copy of the host
//         would take before it has loaded anything. `_large` rows have a host with 2 GB of memory in use.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "callee_paths.hpp"
#include "digest/digest.hpp"
#include "harness/directory.hpp"
#include "harness/harness.hpp"
#include "reload/inspect/inspect.hpp"
#include "reload/trust/trust.hpp"
#include "system/unique_fd.hpp"
#include "trial/trial.hpp"

namespace bench {
namespace {

using autoreload::unique_fd;

std::string content_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void inspecting(benchmark::State& state) {
  const std::string library = content_of(callee_builds[0]);
  for (auto _ : state) {
    if (autoreload::inspect(std::as_bytes(std::span(library))).is != autoreload::verdict::sound) {
      state.SkipWithError("the library is refused");
      return;
    }
  }
}

void digest(benchmark::State& state) {
  const std::vector<std::byte> megabyte(1 << 20, std::byte{0x5a});
  for (auto _ : state) benchmark::DoNotOptimize(autoreload::crc64(megabyte));
}

// The file lies so many directories deep.
void trusting(benchmark::State& state, int directories) {
  const directory here;
  std::string path = here.path();
  for (int i = 0; i != directories; ++i) path += "/directory";
  std::filesystem::create_directories(path);
  path += "/lib.so";
  std::filesystem::copy_file(callee_builds[0], path);
  const unique_fd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  const autoreload::trust_policy policy;
  for (auto _ : state) {
    if (const auto answer = autoreload::check_trust(file.get(), path, policy); !answer) {
      state.SkipWithError(answer.error().what());
      return;
    }
  }
}

// Memory that this process uses, for the rows in which it is large.
class ballast {
 public:
  explicit ballast(bool wanted) : size_(wanted ? std::size_t{2} << 30 : 0) {
    if (!wanted) return;
    memory_ = mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory_ == MAP_FAILED) return;
    madvise(memory_, size_, MADV_NOHUGEPAGE);  // as a heap that grew bit by bit
    std::memset(memory_, 1, size_);
  }
  ballast(const ballast&) = delete;
  ballast& operator=(const ballast&) = delete;
  ~ballast() {
    if (memory_ != MAP_FAILED) munmap(memory_, size_);
  }
  [[nodiscard]] bool is_there() const { return size_ == 0 || memory_ != MAP_FAILED; }

 private:
  std::size_t size_;
  void* memory_ = MAP_FAILED;
};

void trial(benchmark::State& state, const char* path, bool large) {
  const ballast memory(large);
  const unique_fd library(open(path, O_RDONLY | O_CLOEXEC));
  autoreload::trial_options options;
  options.policy.time_limit = std::chrono::seconds(30);  // that the machine is busy is no verdict
  for (auto _ : state) {
    const auto no = autoreload::trial_load(library.get(), path, options).no;
    if (no || !memory.is_there()) {
      state.SkipWithError(no && no->why ? no->why->what() : "there is no memory");
      return;
    }
  }
}

void forking(benchmark::State& state, bool large) {
  const ballast memory(large);
  for (auto _ : state) {
    const pid_t child = fork();
    if (child == 0) _exit(0);
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child || !memory.is_there()) {
      state.SkipWithError("fork or waitpid failed");
      return;
    }
  }
}

// A pin's two instructions, a store and a load of something else, with and without a full fence between them.
template <bool fenced>
void announcing(benchmark::State& state) {
  std::atomic<std::uint64_t> slot{0}, current{0};
  for (auto _ : state) {
    slot.store(1, std::memory_order_release);
    if constexpr (fenced) {
      std::atomic_thread_fence(std::memory_order_seq_cst);
    } else {
      std::atomic_signal_fence(std::memory_order_seq_cst);
    }
    benchmark::DoNotOptimize(current.load(std::memory_order_acquire));
  }
}

}  // namespace

void register_benchmarks(arguments&) {
  const auto add = [](const char* name, const char* label, auto run) {
    benchmark::RegisterBenchmark(name, [label, run](benchmark::State& state) {
      run(state);
      state.SetLabel(label);
    })->UseRealTime();
  };
  add("check/inspect", "every pass over a small C library", inspecting);
  add("check/digest", "1 MB", digest);
  add("check/trust", "the file's and its directories' owners and modes", [](auto& state) { trusting(state, 0); });
  add("check/trust_deeper", "ten directories more on the way", [](auto& state) { trusting(state, 10); });
  const char* const c = callee_builds[0];
  add("check/trial_c", "trial load of a C library", [=](auto& state) { trial(state, c, false); });
  add("check/trial_c_large", "the same, 2 GB in use", [=](auto& state) { trial(state, c, true); });
  add("check/trial_cpp", "trial load of a library that needs the C++ runtime",
      [](auto& state) { trial(state, CHECK_CPP_LIBRARY, false); });
  add("check/fork", "fork, and the child ends at once", [](auto& state) { forking(state, false); });
  add("check/fork_large", "the same, 2 GB in use", [](auto& state) { forking(state, true); });
  add("check/announce", "a store, a compiler barrier, a load: a pin's core", announcing<false>);
  add("check/announce_fenced", "a store, a full fence, a load", announcing<true>);
}

}  // namespace bench
