// SPDX-License-Identifier: MIT
// allocation_test: every single allocation of a reload fails once, and no caller notices.
#include <gtest/gtest.h>

#include <cstdlib>
#include <new>

#include "engine_support.hpp"

using support::library;
using support::put;

namespace {

// How many allocations of this thread succeed before one fails; negative: all do.
thread_local long budget = -1;
thread_local bool only_one_fails = true;

bool may_allocate() {
  if (budget == 0) {
    if (only_one_fails) budget = -1;
    return false;
  }
  if (budget > 0) --budget;
  return true;
}

}  // namespace

void* operator new(std::size_t size) {
  void* const memory = may_allocate() ? std::malloc(size) : nullptr;
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

extern "C" {
void (*worker_hook)(const char*) = [](const char*) {};
}

namespace {

class Allocation : public support::EngineTest {
 protected:
  // Polls with so many allocations left. @return whether there were enough
  static bool poll_with(library& lib, long allocations) {
    budget = allocations;
    try {
      lib.poll();
    } catch (const std::bad_alloc&) {
    }
    const bool enough = budget > 0;
    budget = -1;
    return enough;
  }
};

TEST_F(Allocation, ThatFailsAnywhereInAReloadUnloadsNothingThatSomebodyIsInsideOf) {
  put(path_, 1);
  library lib(path_, manual());
  bool enough = false;
  long allocations = 0;
  for (std::uint64_t stamp = 2; !enough; ++allocations, stamp += 2) {
    {
      const auto inside = lib.pin();
      const std::uint64_t before = inside->stamp();
      put(path_, stamp);
      enough = poll_with(lib, allocations);
      ASSERT_EQ(inside->stamp(), before) << "allocation " << allocations << " failed";
      ASSERT_TRUE(lib->stamp() == before || lib->stamp() == stamp) << "allocation " << allocations << " failed";
    }
    put(path_, stamp + 1);  // an event: else it would be tried again after a second
    lib.poll();
    ASSERT_EQ(lib->stamp(), stamp + 1) << "allocation " << allocations << " failed, and then memory was back";
  }
  EXPECT_GT(allocations, 20);
  EXPECT_TRUE(support::comes_true([&] {
    lib.poll();
    return support::loaded_snapshots().size() == 1;
  })) << "generations were lost";
}

// The hub of the background thread must not keep what never came to be.
TEST_F(Allocation, ThatFailsAnywhereInTheConstructorLeavesNothingThatEventsReach) {
  const library other(path_, support::anywhere());  // whose thread and hub are shared
  put(path_, 1);
  bool made = false;
  long allocations = 0;
  for (; !made; ++allocations) {
    budget = allocations;
    std::optional<library> lib;
    try {
      lib.emplace(path_, background());
    } catch (const std::bad_alloc&) {
    } catch (const autoreload::error&) {
    }
    made = budget > 0;
    budget = -1;
    lib.reset();
    const std::uint64_t stamp = 2 + static_cast<std::uint64_t>(allocations);
    put(path_, stamp);
    ASSERT_TRUE(support::comes_true([&] { return other.loaded() && other->stamp() == stamp; }))
        << "after allocation " << allocations << " failed";
  }
  EXPECT_GT(allocations, 20);
}

TEST_F(Allocation, ThatFailsUntilAllIsOverLosesNoReload) {
  for (const long allocations : {0, 2, 8}) {
    put(path_, 1);
    library lib(path_, manual());
    put(path_, 2);
    only_one_fails = false;
    EXPECT_FALSE(poll_with(lib, allocations));
    only_one_fails = true;
    EXPECT_TRUE(support::comes_true([&] {  // without any event
      lib.poll();
      return lib->stamp() == 2;
    })) << "after "
        << allocations;
  }
}

TEST_F(Allocation, ThatFailsWhileAReloadableEndsUnloadsNothingThatSomebodyIsInsideOf) {
  for (long allocations = 0; allocations < 12; ++allocations) {
    put(path_, 1);
    std::optional<library> lib(std::in_place, path_, manual());
    const auto inside = lib->pin();
    budget = allocations;
    lib.reset();
    budget = -1;
    EXPECT_EQ(inside->stamp(), 1U);
  }
}

TEST_F(Allocation, ThatFailsAnywhereInAHandoverLeavesNobodyWaiting) {
  put(path_, 1);
  library lib(path_, manual());
  lib.on_handover([](const support::worker_api& from, const support::worker_api& to) {
    delete new int(7);  // the host's own may fail, too
    if (from.stamp() == to.stamp()) throw std::bad_alloc();
  });
  bool enough = false;
  long allocations = 0;
  for (std::uint64_t stamp = 2; !enough; ++allocations, stamp += 2) {
    const std::uint64_t before = lib->stamp();
    put(path_, stamp);
    enough = poll_with(lib, allocations);
    const std::uint64_t after = lib->stamp();  // waits for ever if the gate is closed
    ASSERT_TRUE(after == before || after == stamp) << "allocation " << allocations << " failed";
    ASSERT_TRUE(lib.try_pin()) << "allocation " << allocations << " failed";
    put(path_, stamp + 1);
    lib.poll();
    ASSERT_EQ(lib->stamp(), stamp + 1) << "allocation " << allocations << " failed, and then memory was back";
  }
  EXPECT_GT(allocations, 20);
  EXPECT_TRUE(support::comes_true([&] {
    lib.poll();
    return support::loaded_snapshots().size() == 1;
  }));
}

}  // namespace
