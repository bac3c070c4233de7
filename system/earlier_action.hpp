// SPDX-License-Identifier: MIT
// earlier_action: what was to be done about a signal before a handler of ours took its place, and doing it.
//
// SHARED  the action: written by replace(), while no handler of ours can be running yet or it is in the chain already;
//         the sigaction call that makes our handler reachable publishes it. `spent_` stands alone.
#pragma once

#include <signal.h>

#include <atomic>

namespace autoreload {

class earlier_action {
 public:
  using handler = void (*)(int, siginfo_t*, void*);

  /// Puts a handler in the place of what is there; it runs on the alternate stack. Nothing if it is in the chain
  /// already. @return whether it is, otherwise errno says why not. Not two at a time
  bool replace(int number, handler ours) noexcept;
  /// Puts back what was there, unless somebody's handler stands on top of ours, which then stays in the chain.
  void restore(int number, handler ours) noexcept;

  /// Does what would have been done without us. Async-signal-safe.
  /// @param is_fault  the instruction raised it, and would do so again
  void pass_on(int number, siginfo_t* info, void* context, bool is_fault) noexcept;

 private:
  struct sigaction action_ {};
  std::atomic<bool> spent_{false};  // it asked for one call only (SA_RESETHAND) and has had it
  bool installed_ = false;          // also when somebody's handler stands on top of ours
};

}  // namespace autoreload
