// SPDX-License-Identifier: MIT
// placement: the same loop of calls at several places in memory. Where a loop lies against the processor's lines of
// code is decided by the compiler, the linker and by what stands before it, and may cost as much as a pin.
//
// ROWS    placed/<idiom>/<bytes>: the loop begins so many bytes behind a multiple of 64. One thread calls, and nothing
//         is reloaded. The time is of one call.
#include <dlfcn.h>

#include <autoreload/autoreload.hpp>
#include <cstdint>
#include <string>
#include <utility>

#include "callee.h"
#include "callee_paths.hpp"
#include "harness/harness.hpp"

namespace bench {
namespace {

constexpr int calls = 1000;  // of one loop, and under one pin

struct placed_api {
  autoreload::required<::callee_step> step;
};

// Behind this the loop begins, as no loop is aligned in this file.
template <int Bytes>
[[gnu::always_inline]] inline void place() {
#if defined(__x86_64__)
  asm volatile(".p2align 6\n\t.skip %c0, 0x90" : : "i"(Bytes));
#else
  asm volatile(".p2align 6");
#endif
}

autoreload::reloadable<placed_api>& library() {
  static autoreload::reloadable<placed_api> loaded(callee_builds[0]);
  return loaded;
}

struct raw_pointer {
  static constexpr const char* name = "raw_pointer";
  template <int Bytes>
  [[gnu::noinline]] static void loop(std::int32_t& value) {
    static void* const handle = dlopen(callee_builds[0], RTLD_NOW | RTLD_LOCAL);
    static auto* const step = reinterpret_cast<decltype(&callee_step)>(dlsym(handle, "callee_step"));
    auto* const function = step;
    place<Bytes>();
    for (int i = 0; i != calls; ++i) value = function(value);
  }
};

struct reloadable_call {
  static constexpr const char* name = "reloadable";
  template <int Bytes>
  [[gnu::noinline]] static void loop(std::int32_t& value) {
    auto& lib = library();
    place<Bytes>();
    for (int i = 0; i != calls; ++i) value = lib->step(value);
  }
};

struct one_pin {
  static constexpr const char* name = "pin_explicit";
  template <int Bytes>
  [[gnu::noinline]] static void loop(std::int32_t& value) {
    const auto now = library().pin();
    place<Bytes>();
    for (int i = 0; i != calls; ++i) value = now->step(value);
  }
};

template <class Idiom, int Bytes>
void measure(benchmark::State& state) {
  std::int32_t value = 0;
  Idiom::template loop<Bytes>(value);  // loads the library
  while (state.KeepRunningBatch(calls)) {
    Idiom::template loop<Bytes>(value);
    benchmark::DoNotOptimize(value);
  }
}

template <class Idiom, int... Eights>
void add_rows(std::integer_sequence<int, Eights...>) {
  (benchmark::RegisterBenchmark(("placed/" + std::string(Idiom::name) + "/" + std::to_string(Eights * 8)).c_str(),
                                &measure<Idiom, Eights * 8>),
   ...);
}

}  // namespace

void register_benchmarks(arguments&) {
  const auto places = std::make_integer_sequence<int, 8>();
  add_rows<raw_pointer>(places);
  add_rows<reloadable_call>(places);
  add_rows<one_pin>(places);
}

}  // namespace bench
