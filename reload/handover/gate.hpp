// SPDX-License-Identifier: MIT
// gate: holds up the calls that begin, so that those under way can end and nobody is inside a generation.
//
//   open ──close_gate──▶ closing ──say_quiet──▶ quiet ──publish──▶ open
//                          ▲  │                   │
//                          │  └─────publish───────│──────────────▶ open (the same table goes on)
//                          └─────say_not_quiet────┘
//
// SHARED  `published`: see pin.hpp. All of this is written by the one thread that runs the engine's pipeline, under the
//         lock of answers.hpp; only `confirmed`, `hint` and `gate` also by a forked child, whose other threads are
//         gone. `gate` counts its changes: no value comes back. `outgoing`, `process` and `keeper` are stored before
//         `gate` says closing, and `gate` before `confirmed` becomes null: who sees the null sees the rest.
// ORDER   There are two pairs of a store and a look, each side with a fence between the two: the engine's grace barrier
//         is the fence of both sides, as in pin.hpp.
//         1. A caller announces a table in its slot and looks whether `confirmed` is that table. The engine makes
//            `confirmed` null and scans the slots, after the barrier of 2, which serves both. So after that scan no
//            call is in the outgoing table but those that the scan saw, and those of 2.
//         2. A caller that may pass the closed gate (it is inside the outgoing table already, so to wait would be to
//            wait for itself) announces the outgoing table and looks whether `gate` has changed. The engine makes
//            `gate` quiet, passes the barrier and scans. Either that scan sees the slot, and the moment is not quiet;
//            or the caller sees that the gate has changed, and takes its slot back.
//         That a thread is inside already only decides whether it may try. It can stop being true at any time, as
//         another thread may drop a pin that was moved to it; 2 doesn't rely on it.
#pragma once

#include <sys/types.h>

#include <cstdint>

#include <autoreload/pin.hpp>

namespace autoreload::detail {

enum class gate_state : std::uint8_t { open, closing, quiet };
inline constexpr std::uint32_t gate_step = 4;  // the lower two bits are the state

[[nodiscard]] inline gate_state state_of_gate(std::uint32_t gate) noexcept {
  return static_cast<gate_state>(gate % gate_step);
}

[[nodiscard]] inline bool is_closed(const published& current) noexcept {
  return state_of_gate(current.gate.load(std::memory_order_relaxed)) != gate_state::open;
}

/// Calls that begin from now on wait. To be followed by a scan of the slots.
/// @param outgoing  the table that is current
void close_gate(published& current, const void* outgoing) noexcept;

/// No slot was seen with the outgoing table. To be followed by a grace barrier and by another scan: if that finds
/// none, either, nobody is inside, and nobody but the calling thread can come in until the gate is opened.
void say_quiet(published& current) noexcept;

/// The second scan found somebody: who is inside may make further calls again.
void say_not_quiet(published& current) noexcept;

/// Lets the calls go on that wait, if it is closed. After `confirmed` has its table: see publish().
void open_gate(published& current) noexcept;

/// Announces the outgoing table at a closed gate. @param gate  as it was seen, not open. @return the table; or null
/// when the gate has changed meanwhile, with the slot empty. The seam lets a test stop between the steps.
template <bool Fence, class Seam>
const void* pass_closed_gate(pin_slot& slot, const published& current, std::uint32_t gate, Seam&& seam) noexcept {
  const void* const table = current.outgoing.load(std::memory_order_acquire);
  announce_in<Fence>(slot, table, seam);
  if (current.gate.load(std::memory_order_acquire) == gate) return table;
  slot.store(nullptr, std::memory_order_release);
  return nullptr;
}

}  // namespace autoreload::detail
