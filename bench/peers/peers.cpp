// SPDX-License-Identifier: MIT
// peers: this project's backends beside other projects' loaders.
//
// ROWS  peer/<name>/load    load, resolve one function, call it, unload
//       peer/<name>/call    a call in the idiom that the peer's documentation advises
//       peer/<name>/lookup  the symbol looked up by name, and called
#include <algorithm>
#include <exception>
#include <string>

#include "../harness/harness.hpp"
#include "callee_paths.hpp"
#include "peer.hpp"

namespace bench {
namespace {

constexpr int batch = 1000;  // calls between two looks at Google Benchmark's counter
const char* const library = callee_builds[0];

void load(benchmark::State& state, const peer& one) {
  std::int32_t x = 0;
  try {
    for (auto _ : state) {
      const std::int32_t next = one.load(library, x);
      if (next != x + 1) {
        state.SkipWithError("it could not be loaded");
        return;
      }
      x = next & 0xff;
    }
  } catch (const std::exception& failure) {
    state.SkipWithError(failure.what());
  }
  state.SetLabel(one.load_label);
}

void call(benchmark::State& state, const peer& one, std::int32_t (opened::*loop)(int, std::int32_t),
          const char* label) {
  try {
    const std::unique_ptr<opened> held = one.open(library);
    if ((held.get()->*loop)(1, 1) != 2) {
      state.SkipWithError("it could not be called");
      return;
    }
    std::int32_t x = 0;
    while (state.KeepRunningBatch(batch)) x = (held.get()->*loop)(batch, x);
    benchmark::DoNotOptimize(x);
  } catch (const std::exception& failure) {
    state.SkipWithError(failure.what());
  }
  state.SetLabel(label);
}

}  // namespace

std::vector<peer>& peers() {
  static std::vector<peer> all;
  return all;
}

void register_benchmarks(arguments&) {
  for (const peer& one : peers()) {
    const std::string name = std::string("peer/") + one.name;
    if (one.load_label != nullptr) {
      benchmark::RegisterBenchmark((name + "/load").c_str(), [one](benchmark::State& state) {
        load(state, one);
      })->Unit(benchmark::kMicrosecond);
    }
    benchmark::RegisterBenchmark((name + "/call").c_str(),
                                 [one](benchmark::State& state) { call(state, one, &opened::run, one.call_label); });
    if (one.lookup_label == nullptr) continue;
    benchmark::RegisterBenchmark((name + "/lookup").c_str(), [one](benchmark::State& state) {
      call(state, one, &opened::run_looked_up, one.lookup_label);
    });
  }
}

}  // namespace bench
