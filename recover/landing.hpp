// SPDX-License-Identifier: MIT
// landing: where the calling thread's guarded calls land, as signal handlers see it.
//
// SHARED  nothing between threads: the list of landings is the thread's own. A handler on the same thread reads it, so
//         a landing is complete before it is in the list (a signal fence).
#pragma once

#include <autoreload/guarded.hpp>
#include <cstdint>

namespace autoreload::detail {

struct landings {
  /// Of the call that this thread began last and is still in, or null. Async-signal-safe, as are all here.
  [[nodiscard]] static landing* innermost() noexcept;
  /// The stack pointer of its trampoline's frame, while it calls.
  [[nodiscard]] static std::uintptr_t stack(const landing& one) noexcept;
  /// The function that the trampoline called, which called the library.
  [[nodiscard]] static std::uintptr_t body(const landing& one) noexcept;
  /// Whether its time is over, or another generation runs and that shall end it.
  [[nodiscard]] static bool is_over(const landing& one, bool& newer) noexcept;
  /// Changes the interrupted state so that the thread goes on in the landing when the handler returns.
  static void go_on_there(landing& one, const call_ending& how, void* context) noexcept;
  /// Whether an address is the trampoline's.
  [[nodiscard]] static bool is_trampoline(std::uintptr_t address) noexcept;
};

}  // namespace autoreload::detail
