// SPDX-License-Identifier: MIT
// harness: runs the registered rows with this suite's defaults.
//
// DEFAULTS  Each row is measured 9 times for 50 ms, and all of them in random order, so that a noisy moment of the
//           machine hits every row alike. Any flag of Google Benchmark on the command line wins over these.
// NAMES     A row is called by what it measures and its thread count: the library's additions (/real_time, /repeats:9)
//           are dropped, so that a row keeps its name when the way of measuring changes.
#include "harness.hpp"

#include <gnu/libc-version.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <thread>

namespace bench {
namespace {

const char* const defaults[] = {
    "--benchmark_repetitions=9",
    "--benchmark_min_time=0.05",
    "--benchmark_enable_random_interleaving=true",
};

template <class Reporter>
class plain_names final : public Reporter {
 public:
  using Reporter::Reporter;
  using Run = benchmark::BenchmarkReporter::Run;

  void ReportRuns(const std::vector<Run>& runs) override {
    std::vector<Run> renamed = runs;
    for (Run& run : renamed) {
      run.run_name.time_type.clear();
      run.run_name.iterations.clear();
      run.run_name.repetitions.clear();
      run.run_name.min_time.clear();
    }
    Reporter::ReportRuns(renamed);
  }
};

std::string cpu_model() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  }
  return "unknown";
}

void describe_machine() {
  utsname system{};
  uname(&system);
  benchmark::AddCustomContext("cpu", cpu_model());
  benchmark::AddCustomContext("kernel", system.release);
  benchmark::AddCustomContext("libc", std::string("glibc ") + gnu_get_libc_version());
#ifdef __clang__
  benchmark::AddCustomContext("compiler", __VERSION__);
#else
  benchmark::AddCustomContext("compiler", "g++ " __VERSION__);
#endif
  benchmark::AddCustomContext("engine", "optimization " BENCH_ENGINE_OPTIMIZATION ", " BENCH_ENGINE_LINKAGE " library");
}

bool has_flag(const std::vector<char*>& words, std::string_view flag) {
  return std::any_of(words.begin(), words.end(),
                     [&](const char* word) { return std::string_view(word).starts_with(flag); });
}

}  // namespace

std::vector<int> thread_counts() {
  const int cores = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  std::vector<int> counts{cores};
  for (int n = 1; n <= 2 * cores; n *= 2) counts.push_back(n);
  std::sort(counts.begin(), counts.end());
  counts.erase(std::unique(counts.begin(), counts.end()), counts.end());
  return counts;
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

void report_percentiles(benchmark::State& state, std::vector<double> microseconds) {
  if (microseconds.empty()) return;
  std::sort(microseconds.begin(), microseconds.end());
  const auto at = [&](double part) {
    const auto rank = static_cast<std::size_t>(std::ceil(part * static_cast<double>(microseconds.size())));
    return microseconds[std::max<std::size_t>(rank, 1) - 1];
  };
  state.counters["p50_us"] = at(0.50);
  state.counters["p90_us"] = at(0.90);
  state.counters["p99_us"] = at(0.99);
  state.counters["max_us"] = microseconds.back();
}

}  // namespace bench

int main(int count, char** given) {
  using namespace bench;
  std::vector<char*> words{given[0]};
  for (const char* const word : defaults) words.push_back(const_cast<char*>(word));
  words.insert(words.end(), given + 1, given + count);
  const bool json_file = has_flag(words, "--benchmark_out=");
  const bool json = has_flag(words, "--benchmark_format=json");

  int left = static_cast<int>(words.size());
  benchmark::Initialize(&left, words.data());
  arguments rest(left, words.data());
  describe_machine();
  register_benchmarks(rest);
  rest.expect_no_more();

  std::unique_ptr<benchmark::BenchmarkReporter> display;
  if (json) {
    display = std::make_unique<plain_names<benchmark::JSONReporter>>();
  } else {
    using console = plain_names<benchmark::ConsoleReporter>;
    display = std::make_unique<console>(isatty(STDOUT_FILENO) != 0 ? console::OO_Color : console::OO_None);
  }
  plain_names<benchmark::JSONReporter> file;
  benchmark::RunSpecifiedBenchmarks(display.get(), json_file ? &file : nullptr);
  benchmark::Shutdown();
  return EXIT_SUCCESS;
}
