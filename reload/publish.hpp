// SPDX-License-Identifier: MIT
// publish: makes a generation the one that every next call uses.
#pragma once

#include <atomic>

namespace autoreload {

/// Release: a caller that loads the pointer sees the filled API table, and the library's memory as its constructors
/// left it. Sequentially consistent on top, as the retire stage's scan must not come before it (see grace_barrier()).
inline void publish(std::atomic<const void*>& current, const void* table) noexcept {
  current.store(table, std::memory_order_seq_cst);
}

}  // namespace autoreload
