// SPDX-License-Identifier: MIT
// culprit: which generation a crash is about, found out in a signal handler.
//
// SHARED  the addresses of the program's code: written by remember_program_code before any handler is installed.
#pragma once

#include <signal.h>

#include <cstdint>

#include "crash/crash_table.hpp"

namespace autoreload {

// What the handler was told.
struct incident {
  int signal;
  const siginfo_t* info;
  std::uintptr_t instruction;
  std::uintptr_t stack;
  std::uintptr_t link;  // where a function that was just called will return to; 0 when that is on the stack

  [[nodiscard]] bool is_fault() const noexcept { return info->si_code > 0; }  // else somebody sent it
  [[nodiscard]] std::uintptr_t address() const noexcept {
    return is_fault() ? reinterpret_cast<std::uintptr_t>(info->si_addr) : 0;
  }
};

enum class relation {
  none,
  inside,       // the instruction is the generation's
  called_bad,   // it called a pointer that leads nowhere
  called_down,  // something that it called crashed or gave up
  old_code,     // a call into an unloaded generation
  old_data,     // a pointer into an unloaded generation's data
};

struct finding {
  relation is = relation::none;
  crash_table::entry generation;
  std::uintptr_t address = 0;  // whose function and line to tell
};

/// What a handler was called with. Async-signal-safe, as are all here but the last.
[[nodiscard]] incident describe(int signal, const siginfo_t* info, const void* context) noexcept;

/// Cheap, and right in saying no: most signals that a host uses for purposes of its own end here.
[[nodiscard]] bool may_concern_a_generation(const incident& what) noexcept;

/// Unwinds the stack. What it meets there may be damaged: only in a process that may end by it.
[[nodiscard]] finding investigate(const incident& what) noexcept;

/// Learns where the main program's code is. Before the handlers are there.
void remember_program_code();

}  // namespace autoreload
