// SPDX-License-Identifier: MIT
// hang_test: calls that don't come back are ended when their time is over, or when a newer build is there.
#include <atomic>
#include <chrono>
#include <future>
#include <thread>

#include <unistd.h>

#include "faulty_support.hpp"
#include "reload/stays/whereabouts.hpp"

using namespace std::chrono_literals;
using autoreload::event_kind;
using autoreload::stage;
using support::faulty_api;
using support::line_of;
using support::says;

namespace {

class Hang : public support::FaultyTest {};

TEST_F(Hang, ACallInTimeIsLikeAnyOther) {
  for (int i = 0; i < 100; ++i) ASSERT_EQ(*lib().guarded_for<&faulty_api::add>(10s, 2, i), 2 + i);
  EXPECT_TRUE(lib().guarded_for<&faulty_api::nothing>({}));
}

TEST_F(Hang, AnEndlessLoopEndsWithItsTime) {
  build(2);
  const auto begun = std::chrono::steady_clock::now();
  const auto ended = lib().guarded_for<&faulty_api::loops>(50ms, 1);
  EXPECT_GE(std::chrono::steady_clock::now() - begun, 50ms);
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().at(), stage::call);
  EXPECT_TRUE(
      says(ended.error().reason(), "a call of generation 2 did not come back in 50 ms: it was in faulty_loops"));
  EXPECT_TRUE(says(ended.error().reason(), line_of("loops")));
  EXPECT_EQ(lib()->stamp(), 1U) << "it is as bad as a crash";
  lib().poll();
  EXPECT_TRUE(events_.next(event_kind::quarantined, support::patience));
}

#ifdef __GLIBC__
TEST_F(Hang, OneThatSleepsToo) {
  const auto ended = lib().guarded_for<&faulty_api::sleeps>(20ms, 100U);
  ASSERT_FALSE(ended);
  EXPECT_TRUE(says(ended.error().reason(), line_of("sleeps")));
}
#endif

TEST_F(Hang, ANewerBuildEndsItWhereThatIsAskedFor) {
  std::thread fixes;
  std::atomic<bool> fixed{false};
  (void)lib();
  fixes = std::thread([&] {
    std::this_thread::sleep_for(30ms);
    support::put_faulty(path_, 2);
    fixed = bool(lib().reload());
  });
  const auto ended = lib().guarded_for<&faulty_api::loops>({100s, true}, 1);
  fixes.join();
  ASSERT_TRUE(fixed);
  ASSERT_FALSE(ended);
  EXPECT_TRUE(says(ended.error().reason(), "a call of generation 1 was ended, as a newer build is there"));
  EXPECT_EQ(*lib().guarded<&faulty_api::stamp>(), 2U);
}

TEST_F(Hang, ACallbackOfTheHostsIsWaitedFor) {
  std::atomic<int> done{0};
  struct story {
    std::atomic<int>* done;
  } here{&done};
  const auto ended = lib().guarded_for<&faulty_api::crashes_after>(
      10ms,
      [](void* self) -> int {
        const auto until = std::chrono::steady_clock::now() + 60ms;
        while (std::chrono::steady_clock::now() < until) continue;
        static_cast<story*>(self)->done->store(1);
        return 1;
      },
      &here);
  EXPECT_EQ(done, 1) << "its frames may own something";
  ASSERT_FALSE(ended) << "and then it crashes, as it would";
}

TEST_F(Hang, ACallThatIsLateButComesBackHasItsValue) {
  volatile int flag = 0;
  std::thread sets([&] {
    std::this_thread::sleep_for(5ms);
    flag = 7;
  });
  const auto value = lib().guarded_for<&faulty_api::waits_for>(10s, &flag);
  sets.join();
  ASSERT_TRUE(value);
  EXPECT_EQ(*value, 7);
}

TEST_F(Hang, TheInnerOfTwoLimitsEndsTheInnerCall) {
  struct both {
    support::faulty_library* lib;
    bool ended;
  } here{&lib(), false};
  const auto outer = lib().guarded_for<&faulty_api::calls_back>(
      10s,
      [](void* self) -> int {
        auto& both = *static_cast<struct both*>(self);
        both.ended = !both.lib->guarded_for<&faulty_api::loops>(20ms, 1);
        return 41;
      },
      &here);
  EXPECT_TRUE(here.ended);
  ASSERT_TRUE(outer);
  EXPECT_EQ(*outer, 42);
}

// ---- who is not guarded is at least seen

class Stuck : public Hang {
 protected:
  Stuck() {
    autoreload::options options = chosen();
    options.stuck_after = 5ms;
    lib_.emplace(path_, options);
  }
  // What is told of a thread that is inside, once a newer build is there.
  std::string told() {
    build(2);
    std::optional<autoreload::event> found;
    const auto deadline = std::chrono::steady_clock::now() + support::patience;
    while (!found && std::chrono::steady_clock::now() < deadline) {
      lib().poll();
      found = events_.next(event_kind::stuck, 1ms);
    }
    EXPECT_TRUE(found);
    EXPECT_EQ(found ? found->generation : 0, 1U);
    return found ? found->text : "";
  }
};

TEST_F(Stuck, AThreadThatLoopsBelowAnOldGeneration) {
  struct story {
    std::promise<void> entered;
    std::atomic<bool> leave{false};
  } here;
  std::thread loops([&] {
    (void)lib()->calls_back(
        [](void* self) -> int {
          auto& mine = *static_cast<story*>(self);
          mine.entered.set_value();
          while (!mine.leave) continue;
          return 1;
        },
        &here);
  });
  here.entered.get_future().wait();
  const std::string text = told();
  here.leave = true;
  loops.join();
  EXPECT_TRUE(says(text, ", which runs below faulty_calls_back+0x"));
  EXPECT_TRUE(says(text, line_of("calls_back")));
  EXPECT_TRUE(says(text, "has not come back for 0 s"));
}

TEST_F(Stuck, AThreadThatLoopsInAnOldGenerationItselfIsTracedBackAndGoesOn) {
  struct story {
    support::faulty_library* lib;
    std::promise<pid_t> entered;
    volatile int leave = 0;
    int answer = 0;
  } here{&lib(), {}};
  std::thread loops([&] {
    here.answer = lib()->calls_back(
        [](void* self) -> int {
          auto& mine = *static_cast<story*>(self);
          mine.entered.set_value(gettid());
          return (*mine.lib)->waits_for(&mine.leave);
        },
        &here);
  });
  const pid_t thread = here.entered.get_future().get();
  // Between the promise and the loop it is still in the callback.
  std::string text;
  const auto deadline = std::chrono::steady_clock::now() + support::patience;
  while (text.find("which runs in faulty_waits_for+0x") == std::string::npos &&
         std::chrono::steady_clock::now() < deadline) {
    text = autoreload::whereabouts_of(thread);
  }
  EXPECT_TRUE(says(text, line_of("waits_for") + ", called from faulty_calls_back+0x"));
  EXPECT_TRUE(says(text, line_of("calls_back")));
  EXPECT_TRUE(says(told(), ", which runs in faulty_waits_for+0x"));
  here.leave = 7;
  loops.join();
  EXPECT_EQ(here.answer, 8);
}

TEST_F(Stuck, AThreadThatWaitsBelowAnOldGenerationIsTracedToIt) {
  std::promise<void> entered;
  std::promise<void> leave;
  struct story {
    std::promise<void>* entered;
    std::promise<void>* leave;
  } here{&entered, &leave};
  std::thread waits([&] {
    pthread_setname_np(pthread_self(), "worker");
    (void)lib()->calls_back(
        [](void* self) -> int {
          static_cast<story*>(self)->entered->set_value();
          static_cast<story*>(self)->leave->get_future().wait();
          return 1;
        },
        &here);
  });
  entered.get_future().wait();
  // Until it really waits: no event tells.
  std::this_thread::sleep_for(20ms);
  const std::string text = told();
  leave.set_value();
  waits.join();
  EXPECT_TRUE(says(text, " (worker), which waits in a system call below faulty_calls_back+0x"));
  EXPECT_TRUE(says(text, line_of("calls_back")));
}

}  // namespace
