// SPDX-License-Identifier: MIT
// frame_test: calls in frames: what poll() keeps for frame(), what a frame_pin keeps, and how long a poll() may take.
#define AUTORELOAD_CHECK_FRAMES  // as where a program is built for debugging
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <latch>
#include <memory>
#include <thread>

#include "engine_support.hpp"
#include "hook.hpp"
#include "reload/frames/own_stack.hpp"
#include "reload/spare_time.hpp"

using namespace std::chrono_literals;
using autoreload::address_range;
using autoreload::event_kind;
using autoreload::on_stack;
using support::library;
using support::put;

namespace {

class Frames : public support::EngineTest {
 protected:
  [[nodiscard]] autoreload::options manual() {
    autoreload::options chosen = EngineTest::manual();
    chosen.frames = true;
    return chosen;
  }
  // Polls as a frame loop does, until a generation is gone.
  void poll_until_unloaded(library& lib, std::uint64_t generation) {
    ASSERT_TRUE(support::comes_true([&] {
      lib.poll();
      return !is_there(lib, generation);
    }));
  }
  static bool is_there(library& lib, std::uint64_t generation) {
    for (const auto& one : lib.history()) {
      if (one.number == generation && one.state != autoreload::generation_state::stored) return true;
    }
    return false;
  }
};

TEST_F(Frames, CallWhatPollFoundUntilTheNextPoll) {
  put(path_, 1);
  library lib(path_, manual());
  lib.poll();
  EXPECT_EQ(lib.frame().stamp(), 1U);
  put(path_, 2);
  EXPECT_EQ(lib.frame().stamp(), 1U);
  lib.poll();
  EXPECT_EQ(lib.frame().stamp(), 2U);
  poll_until_unloaded(lib, 1);
  EXPECT_EQ(lib.frame().stamp(), 2U);
}

TEST_F(Frames, ThrowBeforeTheFirstPollAndWhileNothingIsLoaded) {
  put(path_, 1);
  library lib(path_, manual());
  EXPECT_THROW((void)lib.frame().stamp(), autoreload::error);
  library none(path_ + ".nobody", manual());
  none.poll();
  EXPECT_THROW((void)none.frame().stamp(), autoreload::error);
}

TEST_F(Frames, KeepTheirGenerationWhenAnotherThreadReloads) {
  put(path_, 1);
  library lib(path_, manual());
  lib.poll();
  const auto& frame = lib.frame();
  put(path_, 2);
  std::thread([&] { ASSERT_TRUE(lib.reload()); }).join();
  EXPECT_EQ(lib.generation(), 2U);
  EXPECT_TRUE(is_there(lib, 1));
  EXPECT_EQ(frame.stamp(), 1U);
  lib.poll();
  EXPECT_EQ(lib.frame().stamp(), 2U);
}

TEST_F(Frames, EndAProgramBuiltForDebuggingWhenAnotherThreadCalls) {
  if (support::thread_sanitized) GTEST_SKIP() << support::no_threads_after_fork;
  put(path_, 1);
  library lib(path_, manual());
  lib.poll();
  EXPECT_DEATH(std::thread([&] { (void)lib.frame().stamp(); }).join(), "frame_pin");
}

// What is between two calls on the stack holds up nothing that is still called, but what was called before.
TEST_F(Frames, WaitForWhoKeepsWhatAnEarlierOneGave) {
  put(path_, 1);
  library lib(path_, manual());
  lib.poll();
  const support::worker_api* volatile kept = &lib.frame();
  put(path_, 2);
  for (int i = 0; i < 5; ++i) lib.poll();
  EXPECT_EQ(lib.frame().stamp(), 2U);
  EXPECT_TRUE(is_there(lib, 1));
  EXPECT_EQ(kept->stamp(), 1U);
  kept = nullptr;
}

// The call that polls returns into the code that would have been unloaded.
TEST_F(Frames, SurviveAPollFromInsideACall) {
  put(path_, 1);
  library lib(path_, manual());
  lib.poll();
  struct host {
    library& lib;
    const std::string& path;
    std::size_t loaded = 0;
  } here{lib, path_};
  const auto callback = [](void* argument) {
    auto& self = *static_cast<host*>(argument);
    put(self.path, 2);
    for (int i = 0; i < 5; ++i) self.lib.poll();
    EXPECT_EQ(self.lib.generation(), 2U);
    EXPECT_EQ(self.lib.frame().stamp(), 2U) << "a frame of its own";
    self.loaded = support::loaded_snapshots().size();
  };
  EXPECT_EQ(lib.frame().visit(callback, &here), 1U);
  EXPECT_EQ(here.loaded, 2U) << "the code that was called is still there";
  EXPECT_NE(kinds().find("warning"), std::string::npos);
  poll_until_unloaded(lib, 1);
}

TEST_F(Frames, EndWhenTheOwnerIsDestroyedInsideACall) {
  put(path_, 1);
  auto lib = std::make_unique<library>(path_, manual());
  lib->poll();
  const auto callback = [](void* argument) { static_cast<std::unique_ptr<library>*>(argument)->reset(); };
  EXPECT_EQ(lib->frame().visit(callback, &lib), 1U);
}

TEST_F(Frames, AreNoneWhereNobodyAskedForThem) {
  put(path_, 1);
  library lib(path_, EngineTest::manual());
  lib.poll();
  EXPECT_THROW((void)lib.frame().stamp(), autoreload::error);
}

TEST_F(Frames, LetAHandoverHappenInPollAndInReload) {
  put(path_, 1);
  library lib(path_, manual());
  int handed_over = 0;
  lib.on_handover([&](const support::worker_api& from, const support::worker_api& to) {
    EXPECT_EQ(from.stamp() + 1, to.stamp());
    ++handed_over;
  });
  lib.poll();
  EXPECT_EQ(lib.frame().stamp(), 1U);
  put(path_, 2);
  lib.poll();
  EXPECT_EQ(handed_over, 1);
  EXPECT_EQ(lib.frame().stamp(), 2U);
  put(path_, 3);
  EXPECT_TRUE(lib.reload());
  EXPECT_EQ(handed_over, 2);
  EXPECT_EQ(lib.frame().stamp(), 3U);
}

TEST_F(Frames, OfAPinAreRenewedWhenItSaysSo) {
  put(path_, 1);
  library lib(path_, background());
  auto calls = lib.frame_pin();
  put(path_, 2);
  ASSERT_TRUE(lib.reload());
  EXPECT_EQ(calls->stamp(), 1U);
  EXPECT_TRUE(is_there(lib, 1));
  calls.quiescent();
  EXPECT_EQ(calls->stamp(), 2U);
  poll_until_unloaded(lib, 1);
  calls.release();
  put(path_, 3);
  ASSERT_TRUE(lib.reload());
  poll_until_unloaded(lib, 2);
  calls.quiescent();
  EXPECT_EQ(calls->stamp(), 3U);
}

// One that never says so keeps one generation, whatever comes after.
TEST_F(Frames, OfAThreadThatNeverComesKeepOneGenerationAndNameIt) {
  put(path_, 1);
  library lib(path_, background());
  std::latch inside(1), leave(1);
  std::atomic<pid_t> thread{0};
  std::jthread stuck([&] {
    auto calls = lib.frame_pin();
    thread = gettid();
    inside.count_down();
    leave.wait();
    EXPECT_EQ(calls->stamp(), 1U);
  });
  inside.wait();
  for (std::uint64_t build = 2; build < 20; ++build) {
    put(path_, build);
    ASSERT_TRUE(lib.reload());
    if (build > 2) poll_until_unloaded(lib, build - 1);
  }
  EXPECT_TRUE(is_there(lib, 1));
  const auto told = events_.next(event_kind::retained, support::patience);
  leave.count_down();
  ASSERT_TRUE(told);
  EXPECT_NE(told->text.find("thread " + std::to_string(thread)), std::string::npos) << told->text;
}

TEST_F(Frames, OfManyThreadsNeverMixGenerations) {
  put(path_, 2);
  library lib(path_, background());
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> wrong{0};
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 3; ++i) {
      threads.emplace_back([&] {
        auto calls = lib.frame_pin();
        while (!stop) {
          if (!calls.try_quiescent()) continue;
          const std::uint64_t first = calls->stamp();
          for (int call = 0; call < 50; ++call) wrong += calls->stamp() != first;
        }
      });
    }
    for (std::uint64_t build = 3; build < 60; ++build) {
      put(path_, build);
      ASSERT_TRUE(lib.reload());
    }
    stop = true;
  }
  EXPECT_EQ(wrong, 0U);
  for (std::uint64_t old = 1; old < lib.generation(); ++old) poll_until_unloaded(lib, old);
}

TEST_F(Frames, TryQuiescentDoesNotWaitForAHandover) {
  put(path_, 1);
  library lib(path_, background());
  std::latch closed(1), open(1);
  lib.on_handover([&](const support::worker_api&, const support::worker_api&) {
    closed.count_down();
    open.wait();
  });
  auto calls = lib.frame_pin();
  calls.release();  // else the handover would wait for it
  put(path_, 2);
  closed.wait();
  EXPECT_FALSE(calls.try_quiescent());
  open.count_down();
  ASSERT_TRUE(support::comes_true([&] { return lib.generation() == 2; }));
  ASSERT_TRUE(support::comes_true([&] { return calls.try_quiescent(); }));
  EXPECT_EQ(calls->stamp(), 2U);
}

TEST_F(Frames, AreNotLateForAReload) {
  put(path_, 1);
  library lib(path_, manual());
  lib.poll();
  std::uint64_t polls = 0;
  put(path_, 2);
  while (lib.generation() != 2) {
    lib.poll(0ns);  // one piece of the work each time
    ASSERT_LT(++polls, 1000U);
  }
  EXPECT_GT(polls, 5U) << "all of it was one piece";
  EXPECT_EQ(lib.frame().stamp(), 2U);
  while (is_there(lib, 1)) {
    lib.poll(0ns);
    ASSERT_LT(++polls, 1000U);
  }
}

TEST_F(Frames, TakeTheNewestBuildWhenAnotherCameWhileOneWasOnItsWay) {
  put(path_, 1);
  library lib(path_, manual());
  lib.poll();
  put(path_, 2);
  for (int i = 0; i < 4; ++i) lib.poll(0ns);
  EXPECT_EQ(lib.generation(), 1U) << "it is on its way";
  put(path_, 3);
  for (int i = 0; i < 1000 && lib.generation() == 1; ++i) lib.poll(0ns);
  EXPECT_EQ(lib.frame().stamp(), 3U);
}

TEST(SpareTime, DoesTheFirstPieceAndThenWhatFits) {
  autoreload::usual_duration usual;
  autoreload::spare_time none(0ns);
  EXPECT_TRUE(none.spend(usual, [] {}));
  EXPECT_FALSE(none.spend(usual, [] { FAIL(); }));
  autoreload::spare_time any;
  usual.took(1h);
  EXPECT_TRUE(any.spend(usual, [] {}));
  EXPECT_TRUE(any.spend(usual, [] {}));
  autoreload::spare_time little(10min);
  autoreload::usual_duration quick;
  EXPECT_TRUE(little.spend(quick, [] {}));
  usual.took(1h);
  EXPECT_FALSE(little.spend(usual, [] { FAIL(); }));
  EXPECT_TRUE(little.spend(quick, [] {}));
}

// Somewhere that the test can't have by chance; made below the frames that are looked at.
[[gnu::noinline]] std::vector<address_range> far_away() {
  return std::vector<address_range>(1, {0x7a11'0000'0000, 0x7a11'0000'1000});
}

[[gnu::noinline]] on_stack look(const std::vector<address_range>& ranges, address_range but = {0, 0}) {
  __builtin_unwind_init();
  return autoreload::look_at_own_stack(__builtin_frame_address(0), ranges, but);
}

TEST(OwnStack, HoldsWhatACallerHoldsAndNothingElse) {
  const std::vector<address_range> ranges = far_away();
  EXPECT_EQ(look(ranges), on_stack::nothing);
  volatile std::uintptr_t kept[4] = {};
  kept[2] = ranges[0].start + 0x123;
  EXPECT_EQ(look(ranges), on_stack::address);
  const auto at = reinterpret_cast<std::uintptr_t>(&kept);
  EXPECT_EQ(look(ranges, {at, at + sizeof kept}), on_stack::nothing);
  kept[2] = ranges[0].end;
  EXPECT_EQ(look(ranges), on_stack::nothing);
  const std::array<char, 256> heap{};
  EXPECT_EQ(autoreload::look_at_own_stack(std::make_unique<std::array<char, 256>>(heap).get(), ranges, {0, 0}),
            on_stack::unknown);
}

}  // namespace
