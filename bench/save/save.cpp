// SPDX-License-Identifier: MIT
// save: what a person waits for, from the save of a source to the first new value, for each tool, compiler and linker
// that is installed.
//
// usage: save [--rounds=N] [--row=PART] [--sources=DIRECTORY] [--benchmark_out=FILE]
//
// Prints a table of milliseconds; PART is a part of a row's name. DIRECTORY has lua/ and sqlite/
// (bench/save/get_sources makes it); without it, or AUTORELOAD_BENCH_SOURCES, the demo's library is measured alone.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>

#include "../harness/arguments.hpp"
#include "measure.hpp"

namespace {

double at(std::vector<double> values, double part) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  return values[std::min(values.size() - 1, static_cast<std::size_t>(part * static_cast<double>(values.size())))];
}

struct figures {
  double fastest, p50, p90, slowest, notice, tool, compile, link, load, own, floor;
};

figures figures_of(const bench::feel_row& row) {
  figures f{at(row.total, 0),     at(row.total, 0.5),
            at(row.total, 0.9),   at(row.total, 1),
            at(row.notice, 0.5),  0,
            at(row.compile, 0.5), at(row.link, 0.5),
            at(row.load, 0.5),    0,
            at(row.floor, 0.5)};
  std::vector<double> own;
  for (std::size_t i = 0; i < row.notice.size(); ++i) own.push_back(row.notice[i] + row.load[i]);
  f.own = at(own, 0.5);
  if (!row.command.empty()) f.tool = std::max(0.0, at(row.command, 0.5) - f.compile - f.link);
  return f;
}

void print(const bench::feel_row& row) {
  if (row.total.empty()) {
    std::printf("%-36s could not be had\n", row.name.c_str());
  } else {
    const figures f = figures_of(row);
    std::printf("%-36s %7.1f %7.1f %7.1f | %6.2f %6.1f %7.1f %6.1f %6.2f | %6.2f %7.1f %5.2f\n", row.name.c_str(),
                f.fastest / 1000, f.p50 / 1000, f.p90 / 1000, f.notice / 1000, f.tool / 1000, f.compile / 1000,
                f.link / 1000, f.load / 1000, f.own / 1000, f.floor / 1000, f.floor > 0 ? f.p50 / f.floor : 0);
  }
  std::fflush(stdout);
}

// As Google Benchmark writes it, so that the report reads all rows alike.
std::string json_of(const bench::feel_row& row) {
  const figures f = figures_of(row);
  std::string text = "  {\"name\": \"" + row.name + "\", \"run_name\": \"" + row.name +
                     "\", \"run_type\": \"iteration\", \"threads\": 1, ";
  text += "\"repetitions\": 1, \"repetition_index\": 0, \"label\": \"" + row.label + "\", ";
  if (row.total.empty()) text += "\"error_occurred\": true, \"error_message\": \"could not be had\", ";
  const auto add = [&](const char* name, double value) {
    if (value > 0) text += "\"" + std::string(name) + "\": " + std::to_string(value) + ", ";
  };
  add("fastest_us", f.fastest);
  add("p50_us", f.p50);
  add("p90_us", f.p90);
  add("max_us", f.slowest);
  add("notice_us", f.notice);
  add("tool_us", f.tool);
  add("compile_us", f.compile);
  add("link_us", f.link);
  add("load_us", f.load);
  add("own_us", f.own);
  add("floor_us", f.floor);
  return text + "\"iterations\": " + std::to_string(row.total.size()) + ", \"real_time\": " + std::to_string(f.p50) +
         ", \"cpu_time\": 0, \"time_unit\": \"us\"}";
}

}  // namespace

int main(int count, char** words) {
  bench::arguments given(count, words);
  const int rounds = static_cast<int>(given.number("rounds", 10));
  const std::string wanted = given.text("row", "");
  const std::string out = given.text("benchmark_out", "");
  const char* const usual = std::getenv("AUTORELOAD_BENCH_SOURCES");
  const std::string sources = given.text("sources", usual != nullptr ? usual : "");
  for (const char* const others : {"benchmark_min_time", "benchmark_repetitions"}) (void)given.text(others, "");
  given.expect_no_more();
  std::printf("%-36s %7s %7s %7s | %6s %6s %7s %6s %6s | %6s %7s %5s   (ms, %d saves each)\n", "", "least", "p50",
              "p90", "notice", "tool", "compile", "link", "load", "own", "floor", "ratio", rounds);
  std::vector<bench::feel_row> rows;
  for (const bench::row& one : bench::all_rows(sources)) {
    if (one.name().find(wanted) == std::string::npos) continue;
    const int fewer = one.library == "sqlite" ? std::min(rounds, 3) : rounds;
    rows.push_back(bench::measure(one, fewer, sources));
    print(rows.back());
  }
  for (bench::feel_row& one : bench::measure_other_ways(rounds, wanted)) {
    print(one);
    rows.push_back(std::move(one));
  }
  if (!out.empty()) {
    std::ofstream file(out);
    file << "{\"context\": {}, \"benchmarks\": [\n";
    for (std::size_t i = 0; i < rows.size(); ++i) file << json_of(rows[i]) << (i + 1 < rows.size() ? ",\n" : "\n");
    file << "]}\n";
  }
  return rows.empty() ? 1 : 0;
}
