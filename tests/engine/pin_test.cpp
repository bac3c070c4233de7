// SPDX-License-Identifier: MIT
// pin_test: the pins' protocol, step by step at its seam, and at full speed against a reclaimer that poisons what it
// takes back.
#include <autoreload/pin.hpp>

#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <barrier>
#include <csignal>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "count_allocations.hpp"
#include "fences.hpp"
#include "reload/publish.hpp"
#include "reload/retire/pin_registry.hpp"

namespace {

using autoreload::held_pins;
using autoreload::detail::pin_slot;

// What is published here: it need not be an API struct, the protocol only compares addresses.
struct table {
  static constexpr std::uint64_t alive = 0x11fe'11fe'11fe'11feU;
  std::uint64_t state = alive;
};
using current_table = autoreload::detail::published;
using table_pin = autoreload::pin<table>;

std::size_t pins_of(const void* wanted) {
  const auto held = held_pins();
  return static_cast<std::size_t>(
      std::count_if(held.begin(), held.end(), [&](const auto& one) { return one.table == wanted; }));
}
bool is_held(const void* wanted) { return pins_of(wanted) != 0; }

// A slot that the retire stage sees: this thread's first. Null without membarrier, which hides it from the inlined
// path.
pin_slot* own_slot() {
  autoreload::attach_thread();
  return autoreload::has_membarrier() ? &autoreload::detail::this_thread->pins[0] : nullptr;
}

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

// ---- the protocol, step by step

template <class Fence>
class PinSeam : public testing::Test {
 protected:
  const void* announce(interlude steps) { return autoreload::detail::announce<Fence::value>(slot_, current_, steps); }
  // What the engine does: publish, then ask who may still be inside.
  void publish(const table& next) {
    autoreload::publish(current_, &next);
    EXPECT_TRUE(autoreload::grace_barrier().passed);
  }
  ~PinSeam() override { autoreload::detail::unpin(slot_); }

  table old_, new_, newest_;
  current_table current_{&old_};
  pin_slot unseen_{nullptr};
  pin_slot& slot_ = own_slot() != nullptr ? *own_slot() : unseen_;
};

TYPED_TEST_SUITE(PinSeam, support::fences, support::fence_name);

TYPED_TEST(PinSeam, WithoutAnotherPublicationTheFirstChoiceStays) {
  EXPECT_EQ(this->announce({}), &this->old_);
  EXPECT_EQ(this->slot_.load(), &this->old_);
}

TYPED_TEST(PinSeam, ATablePublishedBeforeTheAnnouncementIsTaken) {
  EXPECT_EQ(this->announce({[&] { this->publish(this->new_); }, [] {}}), &this->new_);
  EXPECT_EQ(this->slot_.load(), &this->new_);
}

TYPED_TEST(PinSeam, ATablePublishedAfterTheAnnouncementIsTaken) {
  EXPECT_EQ(this->announce({[] {}, [&] { this->publish(this->new_); }}), &this->new_);
  EXPECT_EQ(this->slot_.load(), &this->new_);
}

TYPED_TEST(PinSeam, TwoPublicationsOnTheWayLeadToTheLast) {
  EXPECT_EQ(this->announce({[&] { this->publish(this->new_); }, [&] { this->publish(this->newest_); }}),
            &this->newest_);
}

TYPED_TEST(PinSeam, AnOldTableThatCameBackAtTheSameAddressIsTheCurrentOne) {
  EXPECT_EQ(this->announce({[&] {
                              this->publish(this->new_);
                              this->publish(this->old_);
                            },
                            [&] {
                              this->publish(this->new_);
                              this->publish(this->old_);
                            }}),
            &this->old_);
  EXPECT_EQ(this->slot_.load(), &this->old_);
}

TYPED_TEST(PinSeam, EveryPublicationOfManyIsFollowed) {
  std::array<table, 100> tables;
  struct chaser {
    current_table& current;
    std::array<table, 100>& tables;
    std::size_t next = 0;
    void chosen() {}
    void announced() {
      if (next < tables.size()) autoreload::publish(current, &tables[next++]);
    }
  } steps{this->current_, tables};
  EXPECT_EQ(autoreload::detail::announce<TypeParam::value>(this->slot_, this->current_, steps), &tables.back());
}

// Either the caller sees that the table is out of date, or the engine sees that it is held.
TYPED_TEST(PinSeam, TheEngineSeesAnAnnouncedTableThatItHasJustReplaced) {
  if (own_slot() == nullptr) GTEST_SKIP() << "the slot is not a registered one here";
  bool seen = false;
  const void* const got = this->announce({[] {},
                                          [&] {
                                            this->publish(this->new_);
                                            seen = is_held(&this->old_);
                                          }});
  EXPECT_TRUE(seen);
  EXPECT_EQ(got, &this->new_);
  EXPECT_FALSE(is_held(&this->old_)) << "it was announced, but never called";
  EXPECT_TRUE(is_held(&this->new_));
}

TYPED_TEST(PinSeam, ATableThatTheEngineDidNotSeeHeldIsNeverCalled) {
  if (own_slot() == nullptr) GTEST_SKIP() << "the slot is not a registered one here";
  bool seen = true;
  const void* const got = this->announce({[&] {
                                            this->publish(this->new_);
                                            seen = is_held(&this->old_);  // so it is unloaded now
                                          },
                                          [] {}});
  EXPECT_FALSE(seen);
  EXPECT_EQ(got, &this->new_);
}

// ---- slots

TEST(Pin, IsListedWithItsThreadUntilItGoes) {
  const table one;
  current_table current{&one};
  {
    const table_pin held(current);
    const auto all = held_pins();
    const auto found = std::find_if(all.begin(), all.end(), [&](const auto& pin) { return pin.table == &one; });
    ASSERT_NE(found, all.end());
    EXPECT_EQ(found->thread, gettid());
  }
  EXPECT_FALSE(is_held(&one));
}

TEST(Pin, InsideAnotherTakesAnotherSlot) {
  const table old, next;
  current_table current{&old};
  const table_pin outer(current);
  autoreload::publish(current, &next);
  {
    const autoreload::call_pin<table> inner(current);
    EXPECT_EQ(inner.operator->(), &next);
    EXPECT_EQ(outer.operator->(), &old);
    EXPECT_TRUE(is_held(&old));
    EXPECT_TRUE(is_held(&next));
  }
  EXPECT_TRUE(is_held(&old));
  EXPECT_FALSE(is_held(&next));
}

TEST(Pin, HasAsManySlotsAsThereAreNestedCalls) {
  constexpr std::size_t depth = 5 * autoreload::detail::slots_per_block + 1;
  std::vector<table> tables(depth);
  current_table current{nullptr};
  std::vector<table_pin> held;
  for (const table& one : tables) {
    autoreload::publish(current, &one);
    held.emplace_back(current);
  }
  for (const table& one : tables) EXPECT_EQ(pins_of(&one), 1U);
  // From the middle, so that a free slot between taken ones is found again.
  held.erase(held.begin() + 7, held.begin() + 20);
  EXPECT_TRUE(is_held(&tables[6]));
  EXPECT_FALSE(is_held(&tables[7]));
  EXPECT_FALSE(is_held(&tables[19]));
  EXPECT_TRUE(is_held(&tables[20]));
  for (std::size_t i = 7; i < 20; ++i) {
    autoreload::publish(current, &tables[i]);
    held.emplace_back(current);
  }
  for (const table& one : tables) EXPECT_EQ(pins_of(&one), 1U);
  held.clear();
  for (const table& one : tables) EXPECT_FALSE(is_held(&one));
}

TEST(Pin, IsReleasedByTheThreadThatItWasMovedTo) {
  const table one;
  current_table current{&one};
  table_pin held(current);
  std::jthread([&one, moved = std::move(held)]() mutable {
    EXPECT_EQ(moved.operator->(), &one);
    EXPECT_TRUE(is_held(&one));
    moved.release();
    EXPECT_FALSE(is_held(&one));
    moved.release();  // again does nothing
  }).join();
  EXPECT_FALSE(is_held(&one));
}

TEST(Pin, ThatIsAssignedToLetsTheOldTableGo) {
  const table old, next;
  current_table current{&old};
  table_pin held(current);
  autoreload::publish(current, &next);
  held = table_pin(current);
  EXPECT_FALSE(is_held(&old));
  EXPECT_EQ(pins_of(&next), 1U);
  table_pin& same = held;
  held = std::move(same);
  EXPECT_EQ(pins_of(&next), 1U) << "moved to itself";
}

TEST(Pin, ThatWasMovedAwayOutlivesItsThread) {
  const table old, next;
  current_table current{&old};
  std::optional<table_pin> held;
  std::thread([&] { held.emplace(current); }).join();
  autoreload::publish(current, &next);
  // Threads that come after it find other records than the one whose slot is still taken.
  for (int i = 0; i < 100; ++i) {
    std::thread([&] {
      const table_pin own(current);
      EXPECT_EQ(pins_of(&old), 1U);
    }).join();
  }
  EXPECT_EQ(pins_of(&old), 1U);
  EXPECT_EQ(held->operator->(), &old);
  held.reset();
  EXPECT_FALSE(is_held(&old));
}

TEST(Pin, GoesWithAnException) {
  const table one;
  current_table current{&one};
  EXPECT_THROW(
      {
        const autoreload::call_pin<table> held(current);
        throw 1;
      },
      int);
  EXPECT_FALSE(is_held(&one));
}

TEST(Pin, GoesWithACancelledThread) {
  const table one;
  current_table current{&one};
  std::atomic<bool> inside{false};
  struct arguments {
    current_table* current;
    std::atomic<bool>* inside;
  } given{&current, &inside};
  pthread_t thread;
  ASSERT_EQ(pthread_create(
                &thread, nullptr,
                [](void* argument) -> void* {
                  const auto* const here = static_cast<arguments*>(argument);
                  const table_pin held(*here->current);
                  *here->inside = true;
                  for (;;) pause();
                },
                &given),
            0);
  ASSERT_TRUE(support::comes_true([&] { return inside.load(); }));
  EXPECT_TRUE(is_held(&one));
  pthread_cancel(thread);
  pthread_join(thread, nullptr);
  EXPECT_FALSE(is_held(&one));
}

// ---- threads that come and go

// How much the calling program's threads allocate in order to pin, each once.
std::uint64_t allocations_of_threads(int count, const std::function<void()>& what) {
  std::uint64_t sum = 0;
  for (int i = 0; i < count; ++i) {
    std::thread([&] {
      const std::uint64_t before = support::allocations;
      what();
      sum += support::allocations - before;
    }).join();
  }
  return sum;
}

TEST(PinThreads, TenThousandShortOnesReuseTheSameRecord) {
  if (support::sanitized) GTEST_SKIP() << "allocations are not counted under a sanitizer";
  const table one;
  current_table current{&one};
  const auto call = [&] { const table_pin held(current); };
  allocations_of_threads(2, call);
  EXPECT_EQ(allocations_of_threads(10'000, call), 0U);
}

TEST(PinThreads, ManyAtOnceLeaveNoMoreRecordsThanThereWereThreads) {
  if (support::sanitized) GTEST_SKIP() << "allocations are not counted under a sanitizer";
  const table one;
  current_table current{&one};
  constexpr std::size_t crowd = 64;
  std::atomic<std::uint64_t> allocated{0};
  const auto come_and_go = [&] {
    std::barrier together(crowd);
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < crowd; ++i) {
      threads.emplace_back([&] {
        together.arrive_and_wait();
        const std::uint64_t before = support::allocations;
        const table_pin held(current);
        allocated += support::allocations - before;
        together.arrive_and_wait();
      });
    }
  };
  come_and_go();
  allocated = 0;
  for (int i = 0; i < 5; ++i) come_and_go();
  EXPECT_EQ(allocated, 0U);
  EXPECT_FALSE(is_held(&one));
}

// A thread's first call, when it is about to end.
struct last_words {
  current_table* current = nullptr;
  std::uint64_t* allocated = nullptr;
  ~last_words() {
    const std::uint64_t before = support::allocations;
    { const table_pin held(*current); }
    *allocated += support::allocations - before;
  }
};

TEST(PinThreads, ACallInAThreadLocalDestructorIsLikeAnyOther) {
  const table one;
  current_table current{&one};
  const auto allocations_of_last_words = [&](int count) {
    std::uint64_t allocated = 0;
    for (int i = 0; i < count; ++i) {
      std::thread([&] {
        static thread_local last_words mine;
        mine = {&current, &allocated};
      }).join();
      EXPECT_FALSE(is_held(&one));
    }
    return allocated;
  };
  allocations_of_last_words(2);
  EXPECT_EQ(allocations_of_last_words(100), 0U);
}

// Keys made before the registry's own run their destructors before it, later ones after it: with both, one calls while
// the thread is registered, the other when it has left.
TEST(PinThreads, ACallInAKeysDestructorIsLikeAnyOther) {
  static const table one;
  static current_table current{&one};
  static std::atomic<int> calls{0};
  std::array<pthread_key_t, 8> keys;
  for (pthread_key_t& key : keys) {
    ASSERT_EQ(pthread_key_create(&key,
                                 [](void*) {
                                   const table_pin held(current);
                                   EXPECT_EQ(held.operator->(), &one);
                                   ++calls;
                                 }),
              0);
  }
  for (int i = 0; i < 100; ++i) {
    std::thread([&] {
      const table_pin first(current);
      for (const pthread_key_t key : keys) pthread_setspecific(key, &calls);
    }).join();
  }
  EXPECT_EQ(calls, 800);
  EXPECT_FALSE(is_held(&one));
  for (const pthread_key_t key : keys) pthread_key_delete(key);
}

TEST(PinThreads, AnAttachedThreadAllocatesNothingAtItsFirstCall) {
  if (support::sanitized) GTEST_SKIP() << "allocations are not counted under a sanitizer";
  const table one;
  current_table current{&one};
  std::vector<std::jthread> others;  // so that no old record is free
  std::barrier registered(9);
  std::barrier done(9);
  for (int i = 0; i < 8; ++i) {
    others.emplace_back([&] {
      autoreload::attach_thread();
      registered.arrive_and_wait();
      const std::uint64_t before = support::allocations;
      {
        const autoreload::call_pin<table> call(current);
        const table_pin nested(current);
        const table_pin nested_again(current);
      }
      autoreload::attach_thread();
      EXPECT_EQ(support::allocations, before);
      done.arrive_and_wait();
    });
  }
  registered.arrive_and_wait();
  done.arrive_and_wait();
}

TEST(PinThreads, AnAttachedThreadAllocatesNothingForAsManyPinsAsItAskedFor) {
  if (support::sanitized) GTEST_SKIP() << "allocations are not counted under a sanitizer";
  const table one;
  current_table current{&one};
  std::jthread([&] {
    autoreload::attach_thread();
    autoreload::attach_thread(20);
    const std::uint64_t before = support::allocations;
    {
      std::array<std::optional<table_pin>, 20> held;
      for (auto& pin : held) pin.emplace(current);
      EXPECT_EQ(support::allocations, before);
      EXPECT_EQ(pins_of(&one), 20U);
    }
    const std::uint64_t again = support::allocations;  // pins_of has made a list
    autoreload::attach_thread(20);
    EXPECT_EQ(support::allocations, again) << "there was room already";
  }).join();
  EXPECT_FALSE(is_held(&one));
}

// The registry is locked while the process forks: what runs between the first and the last of fork's handlers sees it
// so. This one is registered before the registry's own, so it runs when that one has taken the lock.
std::function<void()> while_the_registry_is_locked;
[[maybe_unused]] const int registered_early = pthread_atfork(
    [] {
      if (while_the_registry_is_locked) while_the_registry_is_locked();
    },
    nullptr, nullptr);

TEST(PinThreads, AnAttachedThreadWaitsForNobody) {
  const table one;
  current_table current{&one};
  std::atomic<int> calls{0};
  std::atomic<bool> attached{false};
  std::atomic<bool> stop{false};
  std::jthread caller([&] {
    autoreload::attach_thread();
    attached = true;
    while (!stop) {
      const table_pin held(current);
      const table_pin nested(current);
      ++calls;
    }
  });
  ASSERT_TRUE(support::comes_true([&] { return attached.load(); }));
  bool called = false;
  while_the_registry_is_locked = [&] {
    const int before = calls;
    called = support::comes_true([&] { return calls > before + 100; }, std::chrono::seconds(10));
  };
  support::in_child([] {});
  while_the_registry_is_locked = nullptr;
  EXPECT_TRUE(called);
  stop = true;
}

// ---- signals

// A handler that publishes and calls, on top of a thread that may be anywhere in a call of its own.
namespace interrupted {
std::array<table, 256> tables;
current_table current{&tables[0]};
std::atomic<std::size_t> times;
std::atomic<std::uint64_t> wrong;
std::atomic<std::uint64_t> allocated;

void handler(int) {
  const std::uint64_t before = support::allocations;
  const table& next = tables[++times % tables.size()];
  autoreload::publish(current, &next);
  {
    const autoreload::detail::pinned held = autoreload::detail::pin(current);
    const autoreload::detail::pinned again = autoreload::detail::pin(current);
    wrong += held.table != &next || again.table != &next || held.slot == again.slot;
    wrong += held.slot->load() != &next || again.slot->load() != &next;
    autoreload::detail::unpin(*again.slot);
    autoreload::detail::unpin(*held.slot);
  }
  allocated += support::allocations - before;
}
}  // namespace interrupted

TEST(PinSignals, AHandlerMayCallOnARegisteredThread) {
  using namespace interrupted;
  // As deep as this test ever gets, so that the slots are there before the first signal.
  std::vector<table_pin> deep;
  for (int i = 0; i < 12; ++i) deep.emplace_back(current);
  deep.clear();

  struct sigaction action {};
  struct sigaction before {};
  action.sa_handler = &handler;
  action.sa_flags = SA_RESTART;
  ASSERT_EQ(sigaction(SIGUSR1, &action, &before), 0);
  sigevent to_this_thread{};
  to_this_thread.sigev_notify = SIGEV_THREAD_ID;
  to_this_thread.sigev_signo = SIGUSR1;
  to_this_thread._sigev_un._tid = gettid();
  timer_t timer{};
  ASSERT_EQ(timer_create(CLOCK_MONOTONIC, &to_this_thread, &timer), 0);
  const itimerspec often{{0, 20'000}, {0, 20'000}};  // ns
  timer_settime(timer, 0, &often, nullptr);

  while (times < 2'000) {
    // Every depth, so that the handler meets every state of the slots.
    for (std::size_t depth = 1; depth < 9; ++depth) {
      std::array<autoreload::detail::pinned, 9> held;
      for (std::size_t i = 0; i < depth; ++i) held[i] = autoreload::detail::pin(current);
      for (std::size_t i = 0; i < depth; ++i) {
        wrong += held[i].slot->load() != held[i].table;
        for (std::size_t j = 0; j < i; ++j) wrong += held[i].slot == held[j].slot;
      }
      for (std::size_t i = 0; i < depth; ++i) autoreload::detail::unpin(*held[i].slot);
    }
  }
  timer_delete(timer);
  sigaction(SIGUSR1, &before, nullptr);
  EXPECT_EQ(wrong, 0U);
  EXPECT_EQ(allocated, 0U);
  for (const table& one : tables) EXPECT_FALSE(is_held(&one));
}

// ---- fork

TEST(PinFork, TheChildKeepsTheForkingThreadsPins) {
  const table one;
  current_table current{&one};
  const table_pin held(current);
  support::in_child([&] {
    EXPECT_EQ(pins_of(&one), 1U);
    const auto all = held_pins();
    EXPECT_EQ(all.front().thread, gettid());
  });
  EXPECT_EQ(pins_of(&one), 1U);
}

TEST(PinFork, TheChildCanPinInNewThreads) {
  if (support::thread_sanitized) GTEST_SKIP() << support::no_threads_after_fork;
  const table one;
  current_table current{&one};
  std::barrier together(4);
  std::vector<std::jthread> others;
  for (int i = 0; i < 3; ++i) {
    others.emplace_back([&] {
      const table_pin held(current);
      together.arrive_and_wait();
      together.arrive_and_wait();
    });
  }
  together.arrive_and_wait();
  support::in_child([&] {
    const table next;
    current_table currently{&next};
    std::thread([&] {
      const table_pin held(currently);
      EXPECT_EQ(pins_of(&next), 1U);
    }).join();
    EXPECT_EQ(pins_of(&next), 0U);
  });
  together.arrive_and_wait();
}

// The thread that made the pin doesn't exist in the child, the pin does. Its slot must be nobody else's.
TEST(PinFork, APinThatWasMovedToTheForkingThreadLivesOnInTheChild) {
  if (support::thread_sanitized) GTEST_SKIP() << support::no_threads_after_fork;
  const table old, next;
  current_table current{&old};
  std::optional<table_pin> held;
  std::barrier together(2);
  std::jthread maker([&] {
    held.emplace(current);
    together.arrive_and_wait();
    together.arrive_and_wait();
  });
  together.arrive_and_wait();
  support::in_child([&] {
    EXPECT_EQ(pins_of(&old), 1U);
    current_table currently{&next};
    std::thread([&] {
      const table_pin own(currently);
      held.reset();
      EXPECT_EQ(pins_of(&next), 1U) << "releasing one pin released another";
    }).join();
    EXPECT_FALSE(is_held(&old));
  });
  together.arrive_and_wait();
}

// ---- all at once, at full speed

// Publishes tables that are poisoned and freed as soon as nobody holds them; whoever reads one through a pin must find
// it alive.
class reclaimer {
 public:
  explicit reclaimer(current_table& current) : current_(current) {}

  void publish_next() {
    auto next = std::make_unique<table>();
    autoreload::publish(current_, next.get());
    if (newest_ != nullptr) retired_.push_back(std::move(newest_));
    newest_ = std::move(next);
    EXPECT_TRUE(autoreload::grace_barrier().passed);
    const auto held = held_pins();
    std::erase_if(retired_, [&](std::unique_ptr<table>& old) {
      const auto holds = [&](const autoreload::held_pin& pin) { return pin.table == old.get(); };
      if (std::any_of(held.begin(), held.end(), holds)) return false;
      old->state = 0xdeadU;
      ++freed_;
      return true;
    });
  }
  [[nodiscard]] std::size_t freed() const { return freed_; }
  [[nodiscard]] std::size_t retired() const { return retired_.size(); }

 private:
  current_table& current_;
  std::unique_ptr<table> newest_;
  std::vector<std::unique_ptr<table>> retired_;
  std::size_t freed_ = 0;
};

TEST(PinStorm, NobodyEverReadsATableThatWasTakenBack) {
  current_table current{nullptr};
  reclaimer engine(current);
  engine.publish_next();
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> dead{0};
  std::atomic<std::uint64_t> calls{0};
  const auto check = [&](const table* one) { dead += one->state != table::alive; };

  std::mutex handing;
  std::deque<table_pin> handed;  // pins that change their thread

  const auto caller = [&] {
    std::uint64_t mine = 0;
    while (!stop) {
      {
        const autoreload::call_pin<table> plain(current);
        check(plain.operator->());
        const table_pin nested(current);
        check(nested.operator->());
        check(plain.operator->());
      }
      table_pin away(current);
      check(away.operator->());
      if (++mine % 16 == 0) {
        calls += 16;
        const std::lock_guard lock(handing);
        handed.push_back(std::move(away));
        if (handed.size() > 8) {
          check(handed.front().operator->());
          handed.pop_front();
        }
      }
    }
  };
  std::vector<std::jthread> threads;
  for (int i = 0; i < 3; ++i) threads.emplace_back(caller);
  threads.emplace_back([&] {  // threads that come for one call
    while (!stop) std::thread([&] { check(table_pin(current).operator->()); }).join();
  });
  std::size_t rounds = 0;
  while (rounds < 2'000 || calls < 20'000) {
    engine.publish_next();
    ++rounds;
  }
  stop = true;
  threads.clear();
  handed.clear();
  engine.publish_next();
  EXPECT_EQ(dead, 0U);
  EXPECT_EQ(engine.retired(), 0U) << "what nobody holds stays";
  EXPECT_EQ(engine.freed(), rounds + 1);
}

}  // namespace
