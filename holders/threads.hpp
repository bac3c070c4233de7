// SPDX-License-Identifier: MIT
// threads: every thread of the process, and what of the library is in its registers and on its stack.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "holders/target.hpp"
#include "holders/tracer.hpp"
#include "holders/unseen.hpp"

namespace autoreload::holding {

/// A stack that was looked at, from its pointer on.
struct live_stack {
  pid_t thread = 0;
  memory_range looked_at;
  std::uintptr_t thread_pointer = 0;  // 0: not known
};

struct thread_findings {
  unseen_list<found_in_thread> words;
  unseen_list<live_stack> stacks;
  unseen_list<std::uint64_t> registers;  // of all threads that were stopped, but what leads into the library
  std::size_t lost = 0;
  std::size_t registers_unseen = 0;  // as in holder_report
  std::string unseen;                // as in holder_report
};

/// The numbers of all threads of the process; none when there is no /proc.
[[nodiscard]] std::vector<pid_t> threads_now();

/// Looks at each thread but the calling one, and at those that are started meanwhile.
/// @param data_too    also for pointers to data
/// @param own_thread  is left out, too
/// @throws std::bad_alloc
[[nodiscard]] thread_findings look_at_threads(const target& what, bool data_too, pid_t own_thread,
                                              const std::atomic<bool>* cancelled);

}  // namespace autoreload::holding
