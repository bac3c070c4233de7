// SPDX-License-Identifier: MIT
// own_stack: reads the words between a frame and the thread's base.
#include "reload/frames/own_stack.hpp"

#include <pthread.h>

#include <cstddef>

namespace autoreload {
namespace {

struct bounds {
  std::uintptr_t lowest = 0, base = 0;
};

// For the main thread the C library reads /proc/self/maps: so once. Its stack may have grown since, downwards.
bounds bounds_of_this_thread() noexcept {
  static thread_local const bounds known = [] {
    bounds found;
    pthread_attr_t attributes;
    if (pthread_getattr_np(pthread_self(), &attributes) != 0) return found;
    void* lowest = nullptr;
    std::size_t size = 0;
    if (pthread_attr_getstack(&attributes, &lowest, &size) == 0) {
      found = {reinterpret_cast<std::uintptr_t>(lowest), reinterpret_cast<std::uintptr_t>(lowest) + size};
    }
    pthread_attr_destroy(&attributes);
    return found;
  }();
  return known;
}

// The stack's words belong to other functions: sanitizers know some as not to be read.
__attribute__((noinline, no_sanitize("address", "undefined"))) bool any_word_in(
    const std::uintptr_t* from, const std::uintptr_t* to, const std::vector<address_range>& ranges) {
  for (const volatile std::uintptr_t* at = from; at != to; ++at) {
    const std::uintptr_t word = *at;
    for (const address_range& range : ranges) {
      if (word - range.start < range.end - range.start) return true;
    }
  }
  return false;
}

}  // namespace

on_stack look_at_own_stack(const void* frame, const std::vector<address_range>& ranges, address_range but) noexcept {
  constexpr std::uintptr_t word = sizeof(std::uintptr_t);
  constexpr std::uintptr_t registers = 16 * word;  // x86-64 saves them below the frame's address, aarch64 above
  const auto at = reinterpret_cast<std::uintptr_t>(frame) & ~(word - 1);
  const bounds stack = bounds_of_this_thread();
  if (at < stack.lowest + registers || at >= stack.base) return on_stack::unknown;
  const std::uintptr_t start = at - registers, end = stack.base & ~(word - 1);
  const auto words_at = [](std::uintptr_t address) { return reinterpret_cast<const std::uintptr_t*>(address); };
  const bool is_here = but.start >= start && but.end <= end;
  const bool found = is_here ? any_word_in(words_at(start), words_at(but.start), ranges) ||
                                   any_word_in(words_at(but.end), words_at(end), ranges)
                             : any_word_in(words_at(start), words_at(end), ranges);
  return found ? on_stack::address : on_stack::nothing;
}

}  // namespace autoreload
