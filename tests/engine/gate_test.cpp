// SPDX-License-Identifier: MIT
// gate_test: the gate before a library's calls, step by step: who waits, who passes, and that neither is lost when the
// gate moves between two steps of a caller.
#include "reload/handover/gate.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "fences.hpp"
#include "handover_support.hpp"
#include "reload/publish.hpp"
#include "reload/retire/pin_registry.hpp"

namespace {

using autoreload::pin_of;
using autoreload::detail::pin_slot;
using autoreload::detail::published;

struct table {
  std::uint64_t value = 0;
};
using table_pin = autoreload::pin<table>;

// Stops the caller between the steps and does something else there, the first time.
struct interlude {
  std::function<void()> when_chosen = [] {};
  std::function<void()> when_announced = [] {};
  void chosen() {
    std::exchange(when_chosen, [] {})();
  }
  void announced() {
    std::exchange(when_announced, [] {})();
  }
};

// A thread that makes one call, and when it has been seen to wait for it.
class waiting_call {
 public:
  explicit waiting_call(published& current) {
    thread_ = std::thread([&] {
      autoreload::attach_thread();
      thread_number_ = gettid();
      const table_pin held(current);
      got_ = &*held;
    });
  }
  ~waiting_call() {
    if (thread_.joinable()) thread_.join();
  }
  void expect_to_wait() {
    EXPECT_TRUE(support::comes_true([&] { return thread_number_ != 0 && support::sleeps(thread_number_); }));
    EXPECT_EQ(got_, nullptr);
  }
  const void* result() {
    thread_.join();
    return got_;
  }

 private:
  std::atomic<pid_t> thread_number_{0};
  std::atomic<const void*> got_{nullptr};
  std::thread thread_;
};

table none;
const void* nothing() { return &none; }

// What a thread gets that is not the keeper.
const void* attempt(published& current, autoreload::detail::substitute otherwise) {
  const void* got = nullptr;
  std::thread([&] { got = &*table_pin(current, otherwise); }).join();
  return got;
}

class Gate : public testing::Test {
 protected:
  Gate() { autoreload::attach_thread(); }
  void close() {
    autoreload::detail::close_gate(current_, &old_);
    EXPECT_TRUE(autoreload::grace_barrier().passed);
  }
  void quiet() {
    autoreload::detail::say_quiet(current_);
    EXPECT_TRUE(autoreload::grace_barrier().passed);
  }
  [[nodiscard]] std::uint32_t gate() const { return current_.gate.load(); }

  table old_{1}, new_{2};
  published current_{&old_};
};

TEST_F(Gate, ThatIsClosedHoldsACallUpUntilAnotherTableIsPublished) {
  close();
  waiting_call one(current_);
  one.expect_to_wait();
  EXPECT_FALSE(pin_of(&old_)) << "a call that waits is inside of nothing";
  autoreload::publish(current_, &new_);
  EXPECT_EQ(one.result(), &new_);
}

TEST_F(Gate, ThatIsOpenedAgainLetsTheCallGoOnInTheOldTable) {
  close();
  waiting_call one(current_);
  one.expect_to_wait();
  quiet();
  autoreload::detail::say_not_quiet(current_);
  one.expect_to_wait();
  autoreload::publish(current_, &old_);
  EXPECT_EQ(one.result(), &old_);
}

TEST_F(Gate, WakesAllThatWait) {
  close();
  std::vector<std::unique_ptr<waiting_call>> many;
  for (int i = 0; i < 8; ++i) many.push_back(std::make_unique<waiting_call>(current_));
  for (const auto& one : many) one->expect_to_wait();
  autoreload::publish(current_, &new_);
  for (const auto& one : many) EXPECT_EQ(one->result(), &new_);
}

TEST_F(Gate, ThatIsClosedTellsWhoDoesNotWantToWait) {
  close();
  EXPECT_EQ(attempt(current_, &nothing), &none);
  quiet();
  EXPECT_EQ(attempt(current_, &nothing), &none);
  EXPECT_FALSE(pin_of(&none)) << "nothing is announced then";
  autoreload::publish(current_, &new_);
  EXPECT_EQ(attempt(current_, &nothing), &new_);
}

TEST_F(Gate, LetsTheThreadPassThatClosedIt) {
  close();
  EXPECT_EQ(&*table_pin(current_), &old_);
  quiet();
  const table_pin held(current_);
  EXPECT_EQ(&*held, &old_);
  EXPECT_TRUE(pin_of(&old_));
  autoreload::publish(current_, &new_);
}

TEST_F(Gate, LetsAThreadPassThatIsInsideTheOldTable) {
  std::promise<void> inside, closed;
  std::thread caller([&] {
    const table_pin outer(current_);
    inside.set_value();
    closed.get_future().wait();
    const table_pin nested(current_);
    EXPECT_EQ(&*nested, &old_);
  });
  inside.get_future().wait();
  close();
  closed.set_value();
  caller.join();  // would wait for ever
  EXPECT_FALSE(pin_of(&old_));
  autoreload::publish(current_, &new_);
}

TEST_F(Gate, HoldsAThreadUpThatIsInsideAnotherLibraryOnly) {
  table other;
  published others{&other};
  close();
  std::thread([&] {
    const table_pin outer(others);
    EXPECT_EQ(&*table_pin(current_, &nothing), &none);
  }).join();
  autoreload::publish(current_, &new_);
}

TEST_F(Gate, ThatIsQuietHoldsAThreadUpWhosePinAnotherOneHasDropped) {
  std::optional<table_pin> moved;
  std::promise<void> made, closed;
  const void* got = nullptr;
  std::thread maker([&] {
    moved.emplace(current_);
    made.set_value();
    closed.get_future().wait();
    got = &*table_pin(current_, &nothing);  // it made a pin, but nothing of it is left
  });
  made.get_future().wait();
  close();
  EXPECT_TRUE(pin_of(&old_));
  moved.reset();
  EXPECT_FALSE(pin_of(&old_));
  quiet();
  closed.set_value();
  maker.join();
  EXPECT_EQ(got, &none);
  autoreload::publish(current_, &new_);
}

// ---- the race between a nested call and the second scan, step by step

template <class Fence>
class GateSeam : public Gate {
 protected:
  const void* pass(interlude steps) {
    return autoreload::detail::pass_closed_gate<Fence::value>(slot_, current_, gate(), steps);
  }
  // As a slot of a thread's record, which the scan sees.
  pin_slot unseen_{nullptr};
  pin_slot& slot_ = autoreload::has_membarrier() ? autoreload::detail::this_thread->pins[0] : unseen_;
};

TYPED_TEST_SUITE(GateSeam, support::fences, support::fence_name);

TYPED_TEST(GateSeam, WhoPassesIsSeenByTheSecondScan) {
  this->close();
  EXPECT_EQ(this->pass({}), &this->old_);
  EXPECT_EQ(this->slot_.load(), &this->old_);
  this->quiet();
  EXPECT_EQ(this->slot_.load(), &this->old_) << "the scan finds it";
  autoreload::detail::unpin(this->slot_);
}

TYPED_TEST(GateSeam, WhoAnnouncesAfterTheMomentIsQuietTakesItBack) {
  this->close();
  EXPECT_EQ(this->pass({[&] { this->quiet(); }, [] {}}), nullptr);
  EXPECT_EQ(this->slot_.load(), nullptr);
}

TYPED_TEST(GateSeam, WhoAnnouncesJustBeforeTheMomentIsQuietIsSeenAndTakesItBack) {
  this->close();
  bool seen = false;
  EXPECT_EQ(this->pass({[] {},
                        [&] {
                          this->quiet();
                          seen = this->slot_.load() == &this->old_;
                        }}),
            nullptr);
  EXPECT_TRUE(seen) << "then the moment is not quiet, and it may try again";
  EXPECT_EQ(this->slot_.load(), nullptr);
}

TYPED_TEST(GateSeam, WhoFindsTheMomentQuietAndThenNotAnyMoreTakesItBackAllTheSame) {
  this->close();
  EXPECT_EQ(this->pass({[&] {
                          this->quiet();
                          autoreload::detail::say_not_quiet(this->current_);
                        },
                        [] {}}),
            nullptr);
  EXPECT_EQ(this->pass({}), &this->old_);
  autoreload::detail::unpin(this->slot_);
}

TYPED_TEST(GateSeam, AWholeHandoverBetweenTwoStepsIsNoticed) {
  this->close();
  EXPECT_EQ(this->pass({[] {},
                        [&] {
                          this->quiet();
                          autoreload::publish(this->current_, &this->new_);
                        }}),
            nullptr);
  EXPECT_EQ(this->slot_.load(), nullptr);
}

TYPED_TEST(GateSeam, TheNextHandoversGateIsNotTakenForThisOnes) {
  this->close();
  EXPECT_EQ(this->pass({[&] {
                          this->quiet();
                          autoreload::publish(this->current_, &this->new_);
                          autoreload::detail::close_gate(this->current_, &this->new_);
                        },
                        [] {}}),
            nullptr)
      << "the old table may be unloaded by then";
  EXPECT_EQ(this->slot_.load(), nullptr);
}

TYPED_TEST(GateSeam, ThatClosesBeforeTheAnnouncementSendsAnOrdinaryCallBack) {
  const void* const got = autoreload::detail::announce<TypeParam::value>(
      this->slot_, this->current_,
      interlude{[&] {
                  this->close();
                  this->current_.keeper = 0;  // the call is not the keeper's
                },
                [] {}},
      &nothing);
  EXPECT_EQ(got, &none);
  EXPECT_EQ(this->slot_.load(), nullptr);
}

TYPED_TEST(GateSeam, ThatClosesAfterTheAnnouncementSendsAnOrdinaryCallBackWhomTheScanMaySee) {
  bool seen = false;
  const void* const got =
      autoreload::detail::announce<TypeParam::value>(this->slot_, this->current_,
                                                     interlude{[] {},
                                                               [&] {
                                                                 this->close();
                                                                 this->current_.keeper = 0;
                                                                 seen = this->slot_.load() == &this->old_;
                                                               }},
                                                     &nothing);
  EXPECT_TRUE(seen);
  EXPECT_EQ(got, &none);
  EXPECT_EQ(this->slot_.load(), nullptr) << "else the moment never comes";
}

TYPED_TEST(GateSeam, ThatOpensBetweenTwoStepsLetsAnOrdinaryCallIn) {
  const void* const got = autoreload::detail::announce<TypeParam::value>(
      this->slot_, this->current_,
      interlude{[&] {
                  this->close();
                  this->quiet();
                },
                [&] { autoreload::publish(this->current_, &this->new_); }});
  EXPECT_EQ(got, &this->new_);
  EXPECT_EQ(this->slot_.load(), &this->new_);
  autoreload::detail::unpin(this->slot_);
}

// ---- fork

TEST_F(Gate, OfItsParentDoesNotHoldAForkedChildUp) {
  close();
  quiet();
  support::in_child([&] {
    EXPECT_EQ(&*table_pin(current_), &old_) << "the old table was left as it was";
    EXPECT_EQ(current_.confirmed.load(), &old_);
  });
  EXPECT_EQ(current_.confirmed.load(), nullptr) << "the parent's is still closed";
  autoreload::publish(current_, &new_);
}

TEST_F(Gate, OfItsParentDoesNotHoldANewThreadOfAForkedChildUp) {
  if (support::thread_sanitized) GTEST_SKIP() << support::no_threads_after_fork;
  close();
  support::in_child([&] { EXPECT_EQ(attempt(current_, nullptr), &old_); });
  autoreload::publish(current_, &new_);
}

// ---- at full speed

// Handover after handover, each of which adds all that its table counted to the next one's: every call must have been
// counted exactly once, and none may run while the numbers are read.
TEST(GateStorm, NoCallRunsInAQuietMomentAndNoneIsLost) {
  struct counting {
    std::atomic<std::uint64_t> calls{0};
    std::atomic<int> inside{0};
  };
  constexpr int rounds = 400;
  std::vector<std::unique_ptr<counting>> tables;
  for (int i = 0; i <= rounds; ++i) tables.push_back(std::make_unique<counting>());
  published current{tables[0].get()};
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> made{0}, refused{0};
  const auto call = [&](counting& one) {
    ++one.inside;
    one.calls.store(one.calls.load() + 1);
    --one.inside;
  };
  std::mutex one_at_a_time;  // the sum is no atomic addition: who reads it in a quiet moment reads a whole one
  const auto caller = [&](bool patient) {
    while (!stop) {
      const autoreload::call_pin<counting> outer(current, patient ? nullptr : &nothing);
      if (static_cast<const void*>(outer.operator->()) == &none) {
        ++refused;
        continue;
      }
      const autoreload::call_pin<counting> nested(current);
      {
        const std::lock_guard lock(one_at_a_time);
        call(*const_cast<counting*>(nested.operator->()));
      }
      ++made;
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) threads.emplace_back(caller, i != 0);
  std::uint64_t disturbed = 0, quiet_moments = 0;
  for (int i = 0; i < rounds; ++i) {
    counting& from = *tables[static_cast<std::size_t>(i)];
    counting& to = *tables[static_cast<std::size_t>(i) + 1];
    autoreload::detail::close_gate(current, &from);
    ASSERT_TRUE(autoreload::grace_barrier().passed);
    for (;;) {
      if (!pin_of(&from)) {
        autoreload::detail::say_quiet(current);
        ASSERT_TRUE(autoreload::grace_barrier().passed);
        if (!pin_of(&from)) break;
        autoreload::detail::say_not_quiet(current);
      }
      std::this_thread::yield();
    }
    ++quiet_moments;
    disturbed += from.inside != 0;
    to.calls.store(from.calls.load());
    std::this_thread::yield();
    disturbed += to.calls.load() != from.calls.load() || from.inside != 0;
    autoreload::publish(current, &to);
  }
  stop = true;
  for (std::thread& one : threads) one.join();
  EXPECT_EQ(disturbed, 0U);
  EXPECT_EQ(quiet_moments, static_cast<std::uint64_t>(rounds));
  EXPECT_EQ(tables.back()->calls, made) << "an increment is lost";
}

}  // namespace
