// SPDX-License-Identifier: MIT
// gate: where the calls of a library wait while its variables are handed over to a newer build.
//
// A stand-in's stubs jump through the table that its header names. The gate is one more table: all of it leads to a
// routine that waits until the header names another one, and goes on through that with the call's own registers.
//
// SHARED  `header.table` and `header.gate`, written by the engine's thread, by the child of a fork for itself, and read
//         by every call. Who closes the gate stores the table (sequentially consistent) before it looks at the threads:
//         a thread that is seen outside afterwards finds the gate closed. Who opens it stores the table (release)
//         before the count: a waiting thread reads the count first, so the kernel does not let it sleep on an old one.
#pragma once

#include <chrono>
#include <cstdint>

#include <autoreload/unload.hpp>

#include "exec/standin_format.hpp"

/// Where a notice stub jumps to, with its registers: see standin_format.hpp. It waits if the gate is closed; at the
/// boundary it goes over to the next build; and else it says which function is missing, and ends the program.
extern "C" void autoreload_exec_notice();

namespace autoreload::exec {

class gate {
 public:
  /// @param header  of a stand-in that is never unloaded
  explicit gate(standin_header& header) : header_(header) {}

  /// Makes the table by which calls wait. @return whether there is memory for it
  [[nodiscard]] bool make_room();
  /// Calls that begin from now on wait. There is room.
  void close() noexcept;
  /// They go on through a table. Also when the gate is open.
  void open(void* const* table) noexcept;
  [[nodiscard]] bool is_closed() const noexcept;
  /// Until somebody has closed it, perhaps; returns at once if it is closed.
  void wait_for_change(std::chrono::milliseconds limit) const noexcept;
  /// Where the stubs are.
  [[nodiscard]] memory_range stubs() const noexcept;

  /// Whether a thread that is at this instruction has chosen where its call goes to, and has not arrived there.
  /// Async-signal-safe.
  [[nodiscard]] bool is_passing(std::uintptr_t instruction) const noexcept;

 private:
  standin_header& header_;
};

}  // namespace autoreload::exec
