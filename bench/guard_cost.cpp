// SPDX-License-Identifier: MIT
// guard_cost: what the ABI guard adds to a reload, as a table of its cases; every row checks that the verdict is right.
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

#include <autoreload/abi_guard.hpp>

#include "guard_hundred.hpp"

namespace {

// A snapshot as the engine makes it; stays open, like the running generation's.
int snapshot(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  const int copy = memfd_create("snapshot", MFD_CLOEXEC);
  if (bytes.empty() || write(copy, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) {
    std::fprintf(stderr, "%s can't be read\n", path.c_str());
    std::exit(2);
  }
  return copy;
}

std::string file(const std::string& compiler, const char* name) {
  return std::string(GUARD_LIBRARIES) + "/" + compiler + "/guard_" + name + ".so";
}

struct scene {
  std::string path = "libhundred.so";
  int candidate = -1;
  int running = -1;

  autoreload::guard_verdict ask(autoreload::abi_checker& guard) const {
    return guard.check({path, candidate, running, autoreload::symbols_of<hundred>(), "hundred"});
  }
};

// A reload: the host and the running version are known from before.
void reload(benchmark::State& state, const std::string& compiler, const char* candidate) {
  const auto guard = autoreload::make_abi_guard();
  scene s;
  s.candidate = snapshot(file(compiler, "small_before"));
  (void)s.ask(*guard);
  s.running = s.candidate;
  s.candidate = snapshot(file(compiler, candidate));
  (void)s.ask(*guard);  // says once what it can't see
  for (auto _ : state) {
    const autoreload::guard_verdict verdict = s.ask(*guard);
    if (verdict.refuse || !verdict.notes.empty()) state.SkipWithError("the verdict is wrong");
  }
  close(s.running);
  close(s.candidate);
}

// The first load: the host's debug information is read too.
void first_load(benchmark::State& state, const std::string& compiler) {
  scene s;
  s.candidate = snapshot(file(compiler, "small_before"));
  for (auto _ : state) {
    if (s.ask(*autoreload::make_abi_guard()).refuse) state.SkipWithError("the verdict is wrong");
  }
  close(s.candidate);
}

// Of all this, what starting a process costs: a helper that ends at once.
void helper_process(benchmark::State& state, const std::string& compiler) {
  autoreload::abi_guard_options options;
  options.helper = "/bin/true";
  const auto guard = autoreload::make_abi_guard(options);
  scene s;
  s.candidate = snapshot(file(compiler, "small_before"));
  (void)s.ask(*guard);
  for (auto _ : state) (void)s.ask(*guard);
  close(s.candidate);
}

}  // namespace

int main(int count, char** arguments) {
  const std::string first = GUARD_COMPILERS;
  for (std::size_t begin = 0; begin < first.size();) {
    const std::size_t end = first.find(' ', begin);
    const std::string compiler = first.substr(begin, end - begin);
    begin = end == std::string::npos ? first.size() : end + 1;
    const auto add = [&](const std::string& name, auto run) {
      benchmark::RegisterBenchmark(("guard/" + name + "/" + compiler).c_str(), run)
          ->Unit(benchmark::kMillisecond)
          ->UseRealTime();
    };
    add("no_debug_information", [=](benchmark::State& s) { reload(s, compiler, "stripped"); });
    add("process_alone", [=](benchmark::State& s) { helper_process(s, compiler); });
    add("hundred_functions", [=](benchmark::State& s) { reload(s, compiler, "small_after"); });
    add("hundred_functions_in_50_MB", [=](benchmark::State& s) { reload(s, compiler, "large_after"); });
    add("first_load", [=](benchmark::State& s) { first_load(s, compiler); });
  }
  benchmark::Initialize(&count, arguments);
  if (benchmark::ReportUnrecognizedArguments(count, arguments)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
