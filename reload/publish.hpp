// SPDX-License-Identifier: MIT
// publish: makes a generation the one that every next call uses.
#pragma once

#include <atomic>

#include "reload/handover/gate.hpp"

namespace autoreload {

/// Release: a caller that finds the table confirmed sees it filled, and the library's memory as its constructors and a
/// handover left it. Sequentially consistent on top, as the retire stage's scan must not come before it (see
/// grace_barrier()). Between the two stores calls find out that the hint is wrong, and go into what is confirmed:
/// nobody waits. Opens the gate if it is closed.
inline void publish(detail::published& current, const void* table) noexcept {
  current.hint.store(table, std::memory_order_seq_cst);
  current.confirmed.store(table, std::memory_order_seq_cst);
  detail::open_gate(current);
}

}  // namespace autoreload
