// SPDX-License-Identifier: MIT
// tracer: looks at threads that run, by stopping each for a moment.
//
// A process cannot trace its own threads, so a child does it that borrows this process's memory (system/aside.hpp). It
// stops one thread at a time by PTRACE_SEIZE and PTRACE_INTERRUPT: no signal is sent, no handler runs, nothing is
// changed in the thread. A system call that the stop interrupts goes on afterwards, as it does under a debugger. Those
// that answer EINTR instead, as epoll_wait does, are told to begin again (x86-64) or not stopped at all: see
// may_be_stopped() in threads.cpp.
//
// SHARED  the job, in memory that is mapped as shared, as run_aside() wants. The caller sleeps while the child works.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "holders/target.hpp"

namespace autoreload::holding {

/// Bytes above the stack pointer that belong to a thread's stack at most.
inline constexpr std::size_t deepest_stack = std::size_t{8} << 20;

/// Which word of a thread's registers, as the kernel orders them, says where it is. A word that was found at an
/// "address" below `end_of_registers` is a register.
#if defined(__x86_64__)
inline constexpr std::size_t program_counter_register = 16;
#else
inline constexpr std::size_t program_counter_register = 32;
#endif
inline constexpr std::uintptr_t end_of_registers = 4096;

enum class outcome : std::uint8_t {
  untried,
  seen,     ///< was stopped, and all below is known
  gone,     ///< has ended
  refused,  ///< tracing is not allowed, or somebody else traces it
  late,     ///< did not stop in time, as a thread that waits for a disk does
};

struct traced_thread {
  pid_t thread = 0;
  outcome came = outcome::untried;
  int error = 0;  // why it was refused
  std::uintptr_t stack_pointer = 0;
  std::uintptr_t stack_end = 0;       // as far as it was looked at
  std::uintptr_t thread_pointer = 0;  // 0: not known
  std::array<std::uint64_t, 34> registers{};
  std::size_t register_count = 0;
};

struct found_in_thread {
  pid_t thread = 0;
  word_found word;
};

/// What the child is asked, and its answer.
struct tracing_job {
  static constexpr std::size_t most_threads = 256;
  static constexpr std::size_t most_found = 512;

  explicit tracing_job(const target& of) : what(of) {}

  target what;
  /// Looks at a thread that is stopped, in the child, in place of the search for words; or null.
  void (*visit)(void* context, const traced_thread& one) noexcept = nullptr;
  void* context = nullptr;
  bool data_too = false;                 // also pointers to data, not only to code
  std::span<const memory_range> stacks;  // of the process's writable mappings, in order
  std::array<traced_thread, most_threads> threads{};
  std::size_t thread_count = 0;
  std::array<found_in_thread, most_found> found{};
  std::size_t found_count = 0;
  std::size_t lost = 0;                      // found, but no room was left
  std::array<std::uint64_t, 8192> buffer{};  // of the child
};

/// A job in memory that a child shares. @throws std::bad_alloc
struct unmap_job {
  void operator()(tracing_job* job) const noexcept;
};
using shared_job = std::unique_ptr<tracing_job, unmap_job>;
[[nodiscard]] shared_job make_tracing_job(const target& of);

/// Stops and looks at each thread of the job. @return an errno when there is no child to do it, else 0
[[nodiscard]] int trace_threads(tracing_job& job) noexcept;

/// Adds what is found between two addresses of a stack. Async-signal-safe.
void scan_stack(tracing_job& job, pid_t thread, memory_range where) noexcept;

/// How far a stack reaches from its pointer. Async-signal-safe.
[[nodiscard]] std::uintptr_t end_of_stack(std::span<const memory_range> stacks, std::uintptr_t pointer) noexcept;

}  // namespace autoreload::holding
