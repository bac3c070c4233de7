// SPDX-License-Identifier: MIT
// handover_storm_test: a library counts its calls, and is replaced again and again under threads that call it in every
// way there is. Each handover takes the number along. In the end it must be the number of calls that were made.
//
// A short form by default. ./dev storm runs the long one: AUTORELOAD_STORM_ROUNDS=10000.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "handover_support.hpp"
#include "storm_caller.hpp"

using autoreload::event;
using autoreload::event_kind;
using support::handed_api;
using support::handed_library;

extern "C" {
int (*handed_hook)(const char*, std::uint64_t) = nullptr;
}

namespace {

std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
  const char* const text = std::getenv(variable);
  return text != nullptr ? std::stoull(text) : otherwise;
}
const std::uint64_t rounds = number_from("AUTORELOAD_STORM_ROUNDS", support::sanitized ? 100 : 300);
const std::uint64_t callers = number_from("AUTORELOAD_STORM_THREADS", 2 * std::thread::hardware_concurrency());

class HandoverStorm : public support::EngineTest {
 protected:
  using caller = support::storm_caller<handed_library, &handed_api::add>;

  // @return how many handovers had to be tried again
  std::uint64_t blow(autoreload::options chosen, const char* file, bool by_hand,
                     std::chrono::milliseconds lingering = {}) {
    std::atomic<std::uint64_t> waiting{0};
    std::atomic<std::uint64_t> unexpected{0};
    chosen.observer = [&](const event& happened) {
      waiting += happened.kind == event_kind::waiting;
      unexpected += happened.kind == event_kind::refused;
    };
    const std::string bytes = support::stamped(file, 0);
    support::put(path_, support::restamped(bytes, 1));
    handed_library lib(path_, chosen);
    lib.pause();
    if (by_hand) {
      lib.on_handover([](const handed_api& from, const handed_api& to) { to.set_total(from.total()); });
    }
    std::atomic<bool> stop{false};
    std::vector<caller> all(callers, caller{lib, stop});
    all[0].lingering = lingering;
    {
      std::vector<std::jthread> threads;
      for (std::uint64_t i = 0; i < callers; ++i) threads.emplace_back([&all, i] { all[i].run(i * 5); });
      for (std::uint64_t stamp = 2; stamp < rounds + 2; ++stamp) {
        support::put(path_, support::restamped(bytes, stamp));
        while (!lib.reload()) {  // held up: a thread was not given a processor for so long
        }
        if (lib->stamp() != stamp) ++unexpected;
        if (stamp % 1000 == 0) std::fprintf(stderr, "%llu handovers\n", static_cast<unsigned long long>(stamp));
      }
      stop = true;
    }
    std::uint64_t added = 0;
    for (const caller& one : all) {
      EXPECT_GT(one.added, 0U);
      added += one.added;
    }
    EXPECT_EQ(lib->total(), added) << "an increment is lost, or was made twice";
    EXPECT_EQ(unexpected, 0U);
    EXPECT_EQ(lib.generation(), rounds + 1);
    std::printf("%llu threads made %llu calls during %llu handovers, of which %llu were put off\n",
                static_cast<unsigned long long>(callers), static_cast<unsigned long long>(added),
                static_cast<unsigned long long>(rounds), static_cast<unsigned long long>(waiting));
    return waiting;
  }
};

TEST_F(HandoverStorm, ByHandLosesNoIncrement) { blow(background(), libraries::handed, true); }

TEST_F(HandoverStorm, ByTheLibrarysOwnFunctionsLosesNoIncrement) { blow(manual(), libraries::handed_guest, false); }

TEST_F(HandoverStorm, ByACarrierLosesNoIncrementAlsoWhenManyHandoversAreGivenUp) {
  autoreload::options chosen = manual();
  chosen.state = std::make_shared<support::number_carrier>();
  chosen.handover.limit = std::chrono::milliseconds(1);
  EXPECT_GT(blow(chosen, libraries::handed, false, std::chrono::milliseconds(3)), 0U);
}

}  // namespace
