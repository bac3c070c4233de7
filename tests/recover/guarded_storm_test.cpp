// SPDX-License-Identifier: MIT
// guarded_storm_test: every tenth build crashes, every tenth hangs, every tenth overflows the stack, under several
// threads that call it guarded. The program lives, each error names the right line, and a good generation answers.
//
// A short form by default. ./dev storm runs the long one: AUTORELOAD_STORM_ROUNDS=10000.
#include <sys/resource.h>

#include <atomic>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "faulty_support.hpp"

using namespace std::chrono_literals;
using autoreload::event_kind;
using support::faulty_api;
using support::line_of;

namespace {

const std::uint64_t rounds = [] {
  const char* const text = std::getenv("AUTORELOAD_STORM_ROUNDS");
  return text != nullptr ? std::stoull(text) : 60;
}();

bool is_bad(std::uint64_t number) { return number % 10 == 3 || number % 10 == 5 || number % 10 == 7; }

std::size_t descriptors() {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& one : std::filesystem::directory_iterator("/proc/self/fd")) ++count;
  return count;
}

TEST(GuardedStorm, IsSurvived) {
  rlimit limit{};  // each quarantined generation keeps a descriptor
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);

  const support::temp_directory directory;
  const std::string path = directory / "libfaulty.so";
  std::atomic<std::uint64_t> quarantined{0};
  autoreload::options chosen;
  chosen.trust.honour_noexec = false;
  chosen.drive = autoreload::drive_mode::manual;
  chosen.observer = [&](const autoreload::event& one) { quarantined += one.kind == event_kind::quarantined ? 1U : 0U; };
  support::put_faulty(path, 1);
  support::faulty_library lib(path, chosen);

  std::mutex mutex;
  std::set<std::string> wrong;
  const auto complain = [&](const std::string& text) {
    const std::lock_guard lock(mutex);
    if (wrong.size() < 5) wrong.insert(text);
  };
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> offered{1};
  std::atomic<std::uint64_t> ends{0};
  std::atomic<std::uint64_t> late{0};
  std::atomic<std::uint64_t> answers{0};
  const std::string crash = line_of("hidden_writer");
  const std::string loop = line_of("loops");
  const auto call = [&] {
    while (!stop) {
      const auto value = lib.guarded_for<&faulty_api::by_stamp>({250ms, true});
      if (value) {
        ++answers;
        if (is_bad(*value) || *value > offered) complain("build " + std::to_string(*value) + " answered");
        continue;
      }
      ++ends;
      const std::string text = value.error().reason();
      const auto has = [&](const std::string& part) { return text.find(part) != std::string::npos; };
      if (has("SIGSEGV") ? has(crash) || has("endless recursion") : has(loop) || has("faulty_recurses")) continue;
      // Ended for nothing: a thread may lose its processor for longer than any limit, or while a newer build comes.
      if (has("newer build") || has("did not come back")) {
        ++late;
      } else {
        complain(text);
      }
    }
  };
  std::size_t before = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) threads.emplace_back(call);
    for (std::uint64_t number = 2; number <= rounds; ++number) {
      offered = number;
      const std::uint64_t gone = quarantined;
      support::put_faulty(path, number);
      lib.poll();
      const auto deadline = std::chrono::steady_clock::now() + support::patience;
      const auto seen = [&] { return is_bad(number) ? quarantined > gone : lib->stamp() == number; };
      while (!seen() && std::chrono::steady_clock::now() < deadline) {
        std::this_thread::sleep_for(1ms);
        lib.poll();
      }
      if (late == 0 && !seen()) complain("build " + std::to_string(number) + " was not seen");
      if (number == 20) before = descriptors() - quarantined;
      if (number % 1000 == 0) std::fprintf(stderr, "%llu builds\n", static_cast<unsigned long long>(number));
      if (!wrong.empty()) break;
    }
    stop = true;
  }
  for (const std::string& text : wrong) ADD_FAILURE() << text;
  const std::uint64_t bad = rounds / 10 * 3;
  EXPECT_GE(quarantined, bad);
  EXPECT_LE(quarantined, bad + late);
  EXPECT_GE(ends, bad);
  EXPECT_GT(answers, rounds);
  EXPECT_LE(descriptors() - quarantined, before + 8) << "nothing but the quarantined ones stays";
  std::printf("%llu calls answered, %llu ended\n", static_cast<unsigned long long>(answers.load()),
              static_cast<unsigned long long>(ends.load()));
}

}  // namespace
