// SPDX-License-Identifier: MIT
// gate: what the engine does to it, and what a call does that finds it closed. The latter may be in a signal handler.
#include "reload/handover/gate.hpp"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <ctime>

#include "reload/publish.hpp"
#include "reload/retire/pin_registry.hpp"

namespace autoreload::detail {
namespace {

// Long for a handover. Who waits looks again then without having been woken: a forked child has nobody to wake it.
constexpr timespec a_while{0, 50'000'000};

std::uint32_t* word_of(std::atomic<std::uint32_t>& gate) noexcept {
  static_assert(sizeof gate == sizeof(std::uint32_t) && std::atomic<std::uint32_t>::is_always_lock_free);
  return reinterpret_cast<std::uint32_t*>(&gate);
}

void change(published& current, gate_state to) noexcept {
  const std::uint32_t before = current.gate.load(std::memory_order_relaxed);
  const std::uint32_t after = before - before % gate_step + gate_step + static_cast<std::uint32_t>(to);
  current.gate.store(after, std::memory_order_seq_cst);
  syscall(SYS_futex, word_of(current.gate), FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0);
}

// In a forked child the thread that closed the gate doesn't exist. Whatever a handover had done by then, it had left
// the old generation as it was.
void open_in_child(published& current) noexcept {
  const void* const table = current.outgoing.load(std::memory_order_acquire);
  const void* closed = nullptr;
  current.hint.store(table, std::memory_order_seq_cst);
  if (current.confirmed.compare_exchange_strong(closed, table)) open_gate(current);
}

struct kept_errno {
  const int before = errno;
  ~kept_errno() { errno = before; }
};

}  // namespace

// A hint of its own: a call that begins now never shows the outgoing table in its slot, so none is mistaken for one
// that is inside.
void close_gate(published& current, const void* outgoing) noexcept {
  current.outgoing.store(outgoing, std::memory_order_relaxed);
  current.process.store(getpid(), std::memory_order_relaxed);
  current.keeper.store(gettid(), std::memory_order_relaxed);
  change(current, gate_state::closing);
  current.hint.store(&current, std::memory_order_seq_cst);
  current.confirmed.store(nullptr, std::memory_order_seq_cst);
}

void say_quiet(published& current) noexcept {
  if (state_of_gate(current.gate.load(std::memory_order_relaxed)) == gate_state::closing) {
    change(current, gate_state::quiet);
  }
}

void say_not_quiet(published& current) noexcept {
  if (state_of_gate(current.gate.load(std::memory_order_relaxed)) == gate_state::quiet) {
    change(current, gate_state::closing);
  }
}

void open_gate(published& current) noexcept {
  if (state_of_gate(current.gate.load(std::memory_order_relaxed)) == gate_state::open) return;
  current.keeper.store(0, std::memory_order_relaxed);
  change(current, gate_state::open);
}

const void* at_closed_gate(pin_slot& slot, published& current, substitute otherwise) noexcept {
  const kept_errno as_it_was;
  slot.store(nullptr, std::memory_order_release);
  const std::uint32_t gate = current.gate.load(std::memory_order_acquire);
  const gate_state state = state_of_gate(gate);
  if (state == gate_state::open) return nullptr;
  if (current.process.load(std::memory_order_relaxed) != getpid()) {
    open_in_child(current);
    return nullptr;
  }
  // The thread that runs the handover would wait for itself. A thread that is inside the outgoing table would wait for
  // the handover, which waits for it.
  const bool keeper = current.keeper.load(std::memory_order_relaxed) == gettid();
  const void* const outgoing = current.outgoing.load(std::memory_order_relaxed);
  if (keeper || (state == gate_state::closing && this_thread_pins(outgoing))) {
    return has_membarrier() ? pass_closed_gate<false>(slot, current, gate, no_seam{})
                            : pass_closed_gate<true>(slot, current, gate, no_seam{});
  }
  if (otherwise != nullptr) return otherwise();
  syscall(SYS_futex, word_of(current.gate), FUTEX_WAIT_PRIVATE, gate, &a_while, nullptr, 0);
  return nullptr;
}

}  // namespace autoreload::detail
