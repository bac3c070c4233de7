// SPDX-License-Identifier: MIT
// frames_test: a walk through the calls of a thread finds what glibc's own finds, and ends where the thread began.
#include <execinfo.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <ucontext.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <functional>
#include <thread>
#include <vector>

#include "holders/frames.hpp"

namespace {

using autoreload::holding::frame_registers;
using autoreload::holding::frame_walk;

struct walked {
  std::vector<std::uintptr_t> places;
  frame_walk::step end = frame_walk::step::made;
};

frame_registers registers_of(const ucontext_t& here) {
  constexpr std::array<int, frame_registers::count> places{REG_RAX, REG_RDX, REG_RCX, REG_RBX, REG_RSI, REG_RDI,
                                                           REG_RBP, REG_RSP, REG_R8,  REG_R9,  REG_R10, REG_R11,
                                                           REG_R12, REG_R13, REG_R14, REG_R15, REG_RIP};
  frame_registers made;
  for (std::size_t i = 0; i < places.size(); ++i) {
    made.set(i, static_cast<std::uint64_t>(here.uc_mcontext.gregs[places[i]]));
  }
  return made;
}

walked walk_from(const frame_registers& from) {
  const auto objects = autoreload::holding::unwound_objects();
  frame_walk walk(objects, from);
  walked all;
  while (all.end == frame_walk::step::made && all.places.size() < 1000) {
    all.places.push_back(walk.here().instruction);
    all.end = walk.next();
  }
  return all;
}

// Callers of the function that calls this, as glibc sees them.
std::vector<std::uintptr_t> known_callers(std::size_t from) {
  std::array<void*, 200> found{};
  const int count = backtrace(found.data(), static_cast<int>(found.size()));
  std::vector<std::uintptr_t> all;
  for (std::size_t i = from; i < static_cast<std::size_t>(count); ++i) {
    all.push_back(reinterpret_cast<std::uintptr_t>(found[i]));
  }
  return all;
}

[[gnu::noinline]] void compare() {
  const std::vector<std::uintptr_t> known = known_callers(2);
  ucontext_t here;
  getcontext(&here);
  const walked all = walk_from(registers_of(here));
  EXPECT_EQ(all.end, frame_walk::step::end);
  ASSERT_GE(all.places.size(), 2U);
  EXPECT_EQ(std::vector<std::uintptr_t>(all.places.begin() + 1, all.places.end()), known);
}

[[gnu::noinline]] void deep(int n) {
  n == 0 ? compare() : deep(n - 1);
  asm volatile("");  // no jump in place of the last call
}

TEST(Frames, AreThoseOfTheMainThread) { compare(); }
TEST(Frames, AreThoseOfManyCalls) { deep(50); }
TEST(Frames, AreThoseOfAThreadUpToItsStart) {
  std::thread([] { deep(3); }).join();
}
TEST(Frames, GoThroughTheCLibrary) {
  std::array<int, 3> numbers{3, 1, 2};
  std::qsort(numbers.data(), numbers.size(), sizeof numbers[0], [](const void* a, const void* b) {
    static int calls = 0;
    if (++calls == 1) compare();
    return *static_cast<const int*>(a) - *static_cast<const int*>(b);
  });
}
TEST(Frames, GoThroughASignalsHandler) {
  struct sigaction how {};
  how.sa_handler = [](int) { compare(); };
  sigaction(SIGUSR1, &how, nullptr);
  raise(SIGUSR1);
}
TEST(Frames, AStackOfNonsenseIsLostAndCrashesNobody) {
  frame_registers nonsense;
  for (std::size_t i = 0; i < frame_registers::count; ++i) nonsense.set(i, 0x123456789abcULL + i);
  EXPECT_EQ(walk_from(nonsense).end, frame_walk::step::lost);
  nonsense.set(frame_registers::instruction, reinterpret_cast<std::uintptr_t>(&std::qsort) + 4);
  EXPECT_EQ(walk_from(nonsense).end, frame_walk::step::lost);
}

}  // namespace
