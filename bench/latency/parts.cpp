// SPDX-License-Identifier: MIT
// parts: the system's share of a reload, and each backend's way from a path to a closed library.
#include "parts.hpp"

#include <benchmark/benchmark.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/membarrier.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <autoreload/autoreload.hpp>
#include <cstdio>
#include <string>
#include <thread>

#include "../idioms/builds.hpp"

namespace bench {
namespace {

const char* const library = callee_builds[0];

void load_and_unload(benchmark::State& state, const char* path) {
  std::int32_t x = 0;
  for (auto _ : state) {
    void* const handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    const auto step = handle == nullptr ? nullptr : reinterpret_cast<step_function>(dlsym(handle, "callee_step"));
    if (step == nullptr) {
      state.SkipWithError(dlerror());
      return;
    }
    x = step(x);
    dlclose(handle);
  }
  benchmark::DoNotOptimize(x);
}

int copy_to_memory() {
  const int file = open(library, O_RDONLY | O_CLOEXEC);
  const int memory = memfd_create("libcallee.so", MFD_CLOEXEC);
  std::vector<char> buffer(std::size_t{1} << 20);
  for (ssize_t got = 0; (got = read(file, buffer.data(), buffer.size())) > 0;) {
    if (write(memory, buffer.data(), static_cast<std::size_t>(got)) != got) break;
  }
  close(file);
  return memory;
}

void memfd_copy(benchmark::State& state) {
  for (auto _ : state) close(copy_to_memory());
}

void memfd_load(benchmark::State& state) {
  const int memory = copy_to_memory();
  load_and_unload(state, ("/proc/self/fd/" + std::to_string(memory)).c_str());
  close(memory);
}

void membarrier_call(benchmark::State& state) {
  syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0U, 0);
  // Another thread of the process is running, which the barrier has to interrupt.
  std::atomic<bool> end{false};
  std::thread busy([&] {
    while (!end.load(std::memory_order_relaxed)) {
    }
  });
  for (auto _ : state) {
    if (syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0U, 0) != 0) {
      state.SkipWithError("membarrier(2) is refused here");
      break;
    }
  }
  end = true;
  busy.join();
}

void rename_unwatched(benchmark::State& state) {
  const directory here;
  const std::string one = here / "one";
  const std::string two = here / "two";
  write_file(one, {});
  for (auto _ : state) {
    std::rename(one.c_str(), two.c_str());
    std::rename(two.c_str(), one.c_str());
  }
}

template <class Backend>
void load_by(benchmark::State& state) {
  std::int32_t x = 0;
  for (auto _ : state) {
    auto loaded = Backend::template module<callee_api>::load(library, autoreload::default_load_flags);
    if (!loaded) {
      state.SkipWithError(loaded.error().what());
      return;
    }
    x = loaded->api().step(x);
    (void)loaded->unload();
  }
  benchmark::DoNotOptimize(x);
}

template <class Backend>
void register_load() {
  const std::string name(Backend::name);
  benchmark::RegisterBenchmark(("load/" + name).c_str(), [name](benchmark::State& state) {
    load_by<Backend>(state);
    state.SetLabel("module::load with four symbols, a call, unload: the " + name + " backend");
  })->Unit(benchmark::kMicrosecond);
}

}  // namespace

void register_parts() {
  const auto add = [](const char* name, const char* label, auto run) {
    benchmark::RegisterBenchmark(name, [label, run](benchmark::State& state) {
      run(state);
      state.SetLabel(label);
    })->Unit(benchmark::kMicrosecond);
  };
  add("floor/dlopen_dlsym_dlclose", "bare loader calls and one call of the library, warm",
      [](benchmark::State& state) { load_and_unload(state, library); });
  add("floor/memfd_copy", "the library read and written to a memfd", memfd_copy);
  add("floor/memfd_load", "dlopen, dlsym, a call and dlclose of such a copy", memfd_load);
  add("floor/membarrier", "membarrier(2), private expedited, one other thread running", membarrier_call);
  add("floor/rename", "two rename(2) in a directory that nobody watches", rename_unwatched);
  register_load<autoreload::raw::backend>();
  register_load<autoreload::raii::backend>();
  register_load<autoreload::symbols::backend>();
}

}  // namespace bench
