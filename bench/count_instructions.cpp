// SPDX-License-Identifier: MIT
// count_instructions: runs each idiom's loop for count_instructions.py, which counts what the loop executes.
//
// The loop runs first for few calls, then for many; mark() stands before, between and behind, and callgrind writes down
// the instructions so far whenever it is entered. What the long run took more than the short one is the calls' alone.
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "idioms/idiom.hpp"

namespace {

constexpr int few = 1000;
constexpr int many = 11000;

}  // namespace

extern "C" {
void count_instructions_mark();
[[gnu::noinline]] void count_instructions_mark() { asm volatile(""); }
}

int main(int count, char**) {
  if (count != 1) {
    std::fputs("usage: count_instructions (no options; see count_instructions.py)\n", stderr);
    return EXIT_FAILURE;
  }
  static std::atomic<bool> never{false};
  std::thread([] { never.wait(false); }).detach();  // as in call_overhead: a program with more than one thread
  std::printf("%d\n", many - few);
  for (const bench::idiom_kind& kind : bench::all_idioms()) {
    std::printf("%s\t%s\n", kind.name, kind.label);
    const std::unique_ptr<bench::idiom> called = kind.make();
    called->enter();
    std::int32_t x = called->run(few, 0);  // what happens once (lazy binding, a thread's first pin) happens here
    count_instructions_mark();
    x = called->run(few, x);
    count_instructions_mark();
    x = called->run(many, x);
    count_instructions_mark();
    asm volatile("" : : "r"(x));
    called->leave();
  }
  return EXIT_SUCCESS;
}
