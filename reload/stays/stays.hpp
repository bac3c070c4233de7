// SPDX-License-Identifier: MIT
// stays: what keeps an old generation, and why it is still there, in words.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>
#include <vector>

#include "reload/retire/grace_period.hpp"
#include "reload/retire/retire.hpp"

namespace autoreload {

/// Why this generation must never be unloaded, or empty: an exception of its own was thrown out of it, or its successor
/// has pointers into it.
[[nodiscard]] std::string why_kept(const generation& one);

/// Keeps the system's libraries that this one brought along loaded for good, before it is closed: they may have started
/// threads of their own, as libgomp does, which go on when the library that needed them is gone. Once for each of them.
void hold_system_libraries(const generation& one);

/// Whether a generation must stay for now, because somebody may come back or because that is not known yet. What there
/// is to tell goes to `done`. Never without options::unload. @throws std::bad_alloc
[[nodiscard]] bool is_held(generation& one, bool wait, std::vector<retirement>& done);

struct obstacle {
  bool forever;
  std::string text;
};

/// Why what was closed is still mapped.
[[nodiscard]] obstacle why_it_stays(const elf_facts& facts);

/// What follows from a membarrier that is refused.
[[nodiscard]] std::string without_membarrier(const grace& period);

/// A thread is still inside: tells so once it takes long, and once it counts as a call that hangs.
/// @param stuck_after  see retirer::sweep
void tell_of_holder(generation& one, pid_t thread, std::chrono::steady_clock::duration waited,
                    std::chrono::milliseconds stuck_after, std::vector<retirement>& done);

}  // namespace autoreload
