// SPDX-License-Identifier: MIT
// storm_test: threads count by a library's variable and by an object on the heap, while two builds with different
// layouts take turns under them and the carrier takes both along. No increment may be lost.
//
// A short form by default. ./dev storm runs the long one: AUTORELOAD_STORM_ROUNDS=10000.
#include <gtest/gtest.h>

#include <autoreload/automatic_state.hpp>
#include <autoreload/autoreload.hpp>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "tests/engine/storm_caller.hpp"
#include "tests/support.hpp"

extern "C" {
std::uint64_t storm_add(void);
int storm_visit(void (*visitor)(void*), void* argument);
std::uint64_t storm_total(void);
std::uint64_t storm_tally(void);
void storm_begin(void);
}

namespace {

using namespace support;

struct storm_api {
  autoreload::optional<::storm_add> add;
  autoreload::required<::storm_visit> visit;
  autoreload::required<::storm_total> total;
  autoreload::required<::storm_tally> tally;
  autoreload::required<::storm_begin> begin;
};
using storm_library = autoreload::reloadable<storm_api>;

constexpr const char* source =
    "#include <stdint.h>\n#include <stdlib.h>\n"
    "struct tally { FIELDS uint64_t count; struct tally *next; };\n"
    "static uint64_t (*rule)(uint64_t *);\n"
    "static struct tally *first;\n"
    "static uint64_t total;\n"
    "static uint64_t one_more(uint64_t *n) { return __atomic_add_fetch(n, 1, __ATOMIC_RELAXED); }\n"
    "void storm_begin(void) {\n"
    "  rule = one_more;\n"
    "  for (int i = 0; i < 3; ++i) {\n"
    "    struct tally *t = calloc(1, sizeof *t);\n"
    "    t->next = first; first = t;\n"
    "  }\n"
    "}\n"
    "uint64_t storm_add(void) { rule(&first->next->next->count); return rule(&total); }\n"
    "int storm_visit(void (*visitor)(void *), void *argument) { visitor(argument); return 0; }\n"
    "uint64_t storm_total(void) { return total; }\n"
    "uint64_t storm_tally(void) { return first->next->next->count; }\n";

std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
  const char* const text = std::getenv(variable);
  return text != nullptr ? std::stoull(text) : otherwise;
}

TEST(StateStorm, TheCarrierLosesNoIncrementOfManyThreads) {
  const std::uint64_t rounds = number_from("AUTORELOAD_STORM_ROUNDS", 60);
  const std::uint64_t count = number_from("AUTORELOAD_STORM_THREADS", 2 * std::thread::hardware_concurrency());
  const temp_directory directory;
  const std::string path = directory / "libstorm.so";
  std::vector<std::string> builds;
  for (const char* const fields : {"", "'int more;'"}) {
    build_library(path, source, std::string("-O1 -DFIELDS=") + fields);
    builds.push_back(read_file(path));
  }
  const auto put = [&](std::uint64_t round) {
    write_file(path + ".new", builds[round % 2]);
    std::filesystem::rename(path + ".new", path);
  };
  put(0);
  autoreload::options options;
  options.observer = autoreload::silent;
  options.drive = autoreload::drive_mode::manual;
  options.state = autoreload::automatic_state({.time_limit = std::chrono::minutes(1)});
  storm_library lib(path, options);
  lib->begin();
  std::atomic<bool> stop{false};
  using caller = storm_caller<storm_library, &storm_api::add>;
  std::vector<caller> all(count, caller{lib, stop});
  std::uint64_t put_off = 0;
  bool given_up = false;
  {
    std::vector<std::thread> threads;
    for (std::uint64_t i = 0; i < count; ++i) threads.emplace_back([&all, i] { all[i].run(i * 5); });
    for (std::uint64_t round = 1; round <= rounds && !given_up; ++round) {
      put(round);
      for (;;) {
        const auto done = lib.reload();
        if (done) break;
        // Else a thread was not given a processor for so long.
        given_up = done.error().reason().find("did not end within") == std::string::npos;
        if (given_up) ADD_FAILURE() << done.error().what();
        if (given_up) break;
        ++put_off;
      }
      if (round % 1000 == 0) std::fprintf(stderr, "%llu handovers\n", static_cast<unsigned long long>(round));
    }
    stop = true;
    for (std::thread& one : threads) one.join();
  }
  std::uint64_t added = 0;
  for (const caller& one : all) {
    EXPECT_GT(one.added, 0U);
    added += one.added;
  }
  EXPECT_EQ(lib->total(), added) << "an increment of the variable is lost, or was made twice";
  EXPECT_EQ(lib->tally(), added) << "an increment of the object is lost, or was made twice";
  EXPECT_EQ(lib.generation(), rounds + 1);
  std::printf("%llu threads made %llu calls during %llu handovers, of which %llu were put off\n",
              static_cast<unsigned long long>(count), static_cast<unsigned long long>(added),
              static_cast<unsigned long long>(rounds), static_cast<unsigned long long>(put_off));
}

}  // namespace
