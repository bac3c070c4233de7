// SPDX-License-Identifier: MIT
// thread_data: where the thread-local variables of each thread lie.
#pragma once

#include <string>
#include <vector>

#include <autoreload/unload.hpp>

#include "holders/names.hpp"
#include "holders/threads.hpp"

namespace autoreload::holding {

/// An object's thread-local variables in one thread.
struct thread_block {
  pid_t thread = 0;
  const loaded_object* object = nullptr;
  memory_range where;
};

/// As far as the threads' pointers are known. Nothing with another C library than glibc.
[[nodiscard]] std::vector<thread_block> thread_blocks(const std::vector<loaded_object>& objects,
                                                      const unseen_list<live_stack>& stacks);

/// Such as `thread-local variable handler of "/home/me/host" in thread 4711 ("audio")`.
[[nodiscard]] std::string thread_variable_in_words(const thread_block& block, std::uintptr_t address);

/// Where a stack ends with which a mapping begins and which glibc keeps for its next thread: nobody uses what is on it.
/// 0: there is none.
[[nodiscard]] std::uintptr_t end_of_idle_stack(memory_range mapping);

}  // namespace autoreload::holding
