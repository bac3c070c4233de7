// SPDX-License-Identifier: MIT
// guard_cost: what the ABI guard adds to a reload, as a table of its cases; every row checks that the verdict is right.
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>

#include <autoreload/abi_guard.hpp>

#include "guard_library.hpp"

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

std::string file(const std::string& compiler, const std::string& name) {
  return std::string(GUARD_LIBRARIES) + "/guard_" + compiler + "_" + name + ".so";
}

template <class Api>
autoreload::guard_verdict ask(autoreload::abi_checker& guard, int candidate, int running = -1) {
  return guard.check({"libsubject.so", candidate, running, autoreload::symbols_of<Api>(), "subject"});
}

double processor_ms(int who) {
  rusage used{};
  getrusage(who, &used);
  const auto ms = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) * 1e3 + static_cast<double>(t.tv_usec) / 1e3;
  };
  return ms(used.ru_utime) + ms(used.ru_stime);
}

// Runs a row, and says what of its time was work, of the host and of the helper: a busy machine adds to the rest.
template <class Check>
void measure(benchmark::State& state, Check check) {
  const double host = processor_ms(RUSAGE_SELF);
  const double helper = processor_ms(RUSAGE_CHILDREN);
  for (auto _ : state) check();
  using benchmark::Counter;
  state.counters["host_cpu_ms"] = Counter(processor_ms(RUSAGE_SELF) - host, Counter::kAvgIterations);
  state.counters["helper_cpu_ms"] = Counter(processor_ms(RUSAGE_CHILDREN) - helper, Counter::kAvgIterations);
}

// A reload: the host and the running version are known from before.
template <class Api>
void reload(benchmark::State& state, const std::string& running_file, const std::string& candidate_file) {
  const auto guard = autoreload::make_abi_guard();
  const int running = snapshot(running_file);
  const int candidate = snapshot(candidate_file);
  (void)ask<Api>(*guard, running);
  (void)ask<Api>(*guard, candidate, running);  // says once what it can't see
  measure(state, [&] {
    const autoreload::guard_verdict verdict = ask<Api>(*guard, candidate, running);
    if (verdict.refuse || !verdict.notes.empty()) state.SkipWithError("the verdict is wrong");
  });
  close(running);
  close(candidate);
}

// The first load: the host's debug information is read too.
void first_load(benchmark::State& state, const std::string& candidate_file) {
  const int candidate = snapshot(candidate_file);
  measure(state, [&] {
    if (ask<hundred>(*autoreload::make_abi_guard(), candidate).refuse) state.SkipWithError("the verdict is wrong");
  });
  close(candidate);
}

// Of all this, what starting a process costs: a helper that ends at once.
void helper_process(benchmark::State& state, const std::string& candidate_file) {
  const auto guard = autoreload::make_abi_guard({.helper = "/bin/true"});
  const int candidate = snapshot(candidate_file);
  (void)ask<hundred>(*guard, candidate);
  measure(state, [&] { (void)ask<hundred>(*guard, candidate); });
  close(candidate);
}

void add_rows(const std::string& compiler) {
  const auto add = [&](const std::string& name, auto run) {
    benchmark::RegisterBenchmark(("guard/" + name + "/" + compiler).c_str(), run)
        ->Unit(benchmark::kMillisecond)
        ->UseRealTime();
  };
  const auto before = [=](const char* api) { return file(compiler, std::string(api) + "_before"); };
  const auto after = [=](const char* api) { return file(compiler, std::string(api) + "_after"); };
  const auto among_50_mb = file(compiler, "large");
  const auto stripped = file(compiler, "stripped");
  add("no_debug_information", [=](auto& s) { reload<hundred>(s, before("hundred"), stripped); });
  add("process_alone", [=](auto& s) { helper_process(s, before("hundred")); });
  add("two_functions", [=](auto& s) { reload<two>(s, before("two"), after("two")); });
  add("hundred_functions", [=](auto& s) { reload<hundred>(s, before("hundred"), after("hundred")); });
  add("hundred_functions_in_50_MB", [=](auto& s) { reload<hundred>(s, before("hundred"), among_50_mb); });
  add("first_load", [=](auto& s) { first_load(s, before("hundred")); });
}

}  // namespace

int main(int count, char** arguments) {
  std::istringstream compilers(GUARD_COMPILERS);
  for (std::string compiler; compilers >> compiler;) add_rows(compiler);
  benchmark::Initialize(&count, arguments);
  if (benchmark::ReportUnrecognizedArguments(count, arguments)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
