// SPDX-License-Identifier: MIT
// pin: keeps one generation of a library loaded while a caller is inside it, at the price of two stores.
//
// SHARED  - `published` of each engine: the API table that new calls use. Written by the engine alone (publish, and the
//           gate), but for a forked child, which opens a gate that its parent had closed.
//         - the slots of each thread's record: what that thread is inside of. A slot goes from null to a table only in
//           its own thread, and back to null in whichever thread lets the pin go. Read by every engine's retire stage.
// ORDER   A caller announces the table in its slot, then looks at `confirmed`; the engine exchanges `confirmed`, then
//         looks at the slots. One of the two must see the other's store, which needs a store-load fence on both sides.
//         The caller's is only a compiler barrier: the engine pays for both with membarrier(2), which runs a full fence
//         on every thread of the process between its store and its scan (the asymmetric hazard pointer; see Michael
//         2004 for hazard pointers, and membarrier(2) for the fence). Where the kernel has no membarrier, no thread
//         ever takes the inlined path, and the slow one has a fence of its own. Stores to a slot are releases, and
//         acquires are the scan's loads and the owner's look whether its slot is free (another thread may have dropped
//         a pin that was moved to it): so all that a caller did inside happened before the unload that its cleared (or
//         reused) slot allowed.
// GATE    `hint` is only what a caller tries first, and may be anything: what it may use is decided by `confirmed`
//         alone. So the engine can close the gate before new calls without a word in a call's way: it makes `confirmed`
//         null. Every call then fails its look and goes the slow way, which sees the null and waits. Null is the value
//         of `confirmed` that is exchanged, so the proof above is the same for closing as for publishing. What remains
//         of the protocol is in reload/handover/gate.hpp.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>

#include <autoreload/language.hpp>

namespace autoreload::detail {

inline constexpr std::size_t cache_line = 64;
inline constexpr std::size_t slots_per_block = 6;

using pin_slot = std::atomic<const void*>;

// A thread's slots. The first is for the call that isn't nested; the others, and further blocks, serve calls inside
// calls and pins held across calls. One cache line, so that two threads never write to the same.
struct alignas(cache_line) pin_block {
  pin_slot pins[slots_per_block]{};
  std::atomic<pin_block*> more{nullptr};
};

// What new calls of one library use.
struct published {
  explicit published(const void* table) noexcept : hint(table), confirmed(table), frame(table) {}

  std::atomic<const void*> hint;       // the table to announce first
  std::atomic<const void*> confirmed;  // the table that may be used; null while the gate is closed
  std::atomic<const void*> frame;      // what the polling thread calls until its next poll(); see frame_keeper.hpp
  // The gate's; nothing of a call's way.
  std::atomic<const void*> outgoing{nullptr};  // the table that was current when the gate was closed
  std::atomic<std::uint32_t> gate{0};          // a count of its changes, and its state
  std::atomic<std::int32_t> process{0};        // that closed it
  std::atomic<std::int32_t> keeper{0};         // the thread that closed it
  std::atomic<std::int32_t> polled_by{0};      // the thread that polled last
};

// The block of this thread's record, or a block that looks busy until the thread has one. Initial-exec keeps the access
// to one or two instructions in a shared library too, for 8 bytes of the static TLS block.
AUTORELOAD_API extern constinit thread_local pin_block* this_thread __attribute__((tls_model("initial-exec")));

// The thread sanitizer can't follow fences, and needn't: what orders an unload after the calls is the slots' own order.
#if defined(__SANITIZE_THREAD__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wtsan"
#endif
inline void full_fence() noexcept { std::atomic_thread_fence(std::memory_order_seq_cst); }
#if defined(__SANITIZE_THREAD__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

// Announces `table` in `slot`, so that the caller can look at what decides whether it may stay. The seam lets a test
// stop between the steps.
template <bool Fence, class Seam>
inline void announce_in(pin_slot& slot, const void* table, Seam&& seam) {
  seam.chosen();
  slot.store(table, std::memory_order_release);
  seam.announced();
  if constexpr (Fence) {
    full_fence();
  } else {
    std::atomic_signal_fence(std::memory_order_seq_cst);  // membarrier makes it a fence when it matters
  }
}

// @return whether it is still the current one: then it stays until the slot is cleared.
template <bool Fence, class Seam>
inline bool announce_once(pin_slot& slot, const published& current, const void* table, Seam&& seam) {
  announce_in<Fence>(slot, table, seam);
  return current.confirmed.load(std::memory_order_acquire) == table;
}

// The table for who does not want to wait. Asked for only at a closed gate: else a call would pay for it.
using substitute = const void* (*)();

// What a call does that finds the gate closed: it waits until the gate moves, unless it may pass or doesn't want to
// wait. Empties the slot first. @return the table that it may use, announced in the slot; or the substitute, with the
// slot empty; or null: look again
[[gnu::cold, gnu::noinline]] AUTORELOAD_API const void* at_closed_gate(pin_slot& slot, published& current,
                                                                       substitute otherwise) noexcept;

template <bool Fence, class Seam>
[[gnu::cold, gnu::noinline]] const void* announce_again(pin_slot& slot, published& current, Seam&& seam,
                                                        substitute otherwise) {
  for (;;) {
    const void* const table = current.confirmed.load(std::memory_order_acquire);
    if (table == nullptr) {
      if (const void* const allowed = at_closed_gate(slot, current, otherwise)) return allowed;
    } else if (announce_once<Fence>(slot, current, table, seam)) {
      return table;
    }
  }
}

// Announces `current` in `slot` until both agree. No loop on the common path: it would cost two instructions.
// @param otherwise  gives what to return instead of waiting at a closed gate; null to wait
template <bool Fence, class Seam>
inline const void* announce(pin_slot& slot, published& current, Seam&& seam, substitute otherwise = nullptr) {
  const void* const table = current.hint.load(std::memory_order_relaxed);
  if (announce_once<Fence>(slot, current, table, seam)) [[likely]]
    return table;
  return announce_again<Fence>(slot, current, seam, otherwise);
}

// Ends the program with a word on standard error when the calling thread is not the one that polled last.
[[gnu::cold, gnu::noinline]] AUTORELOAD_API void check_frame_thread(const published& current);

struct no_seam {
  static void chosen() noexcept {}
  static void announced() noexcept {}
};

struct pinned {
  const void* table;
  pin_slot* slot;
};

// Registers the thread, or finds another slot when the first is taken. @throws std::bad_alloc
[[gnu::cold, gnu::noinline]] AUTORELOAD_API pinned pin_slowly(published& current, substitute otherwise);

// The same for a pin that lasts: not in the first slot, which keeps calls fast. Not cold: what follows it is a frame.
[[gnu::noinline]] AUTORELOAD_API pinned pin_beside(published& current, substitute otherwise);

// @param otherwise  see announce
inline pinned pin(published& current, substitute otherwise = nullptr) {
  pin_slot& slot = this_thread->pins[0];
  if (slot.load(std::memory_order_acquire) != nullptr) [[unlikely]]
    return pin_slowly(current, otherwise);
  return {announce<false>(slot, current, no_seam{}, otherwise), &slot};
}

inline void unpin(pin_slot& slot) noexcept { slot.store(nullptr, std::memory_order_release); }

}  // namespace autoreload::detail

namespace autoreload {

/// Makes the calling thread known to the library ahead of its first call, which then neither allocates nor locks. For
/// audio and other threads that must never wait, and for those whose signal handlers call. May be called again, for
/// more pins.
/// @param pins  how many this thread will hold at once without an allocation: pins proper, calls inside calls, and
/// those
///              of a signal handler. Six cost no memory of their own. One more than there is room for allocates
/// @throws std::bad_alloc
AUTORELOAD_API void attach_thread(std::size_t pins = detail::slots_per_block);

/// Pins a generation for one full expression: what `lib->foo(1)` makes and drops. Not copyable, not movable.
template <class Api>
class [[nodiscard]] call_pin {
 public:
  /// @param current  a reloadable's
  /// @param otherwise  gives the table to use instead of waiting for the end of a handover; null to wait
  explicit call_pin(detail::published& current, detail::substitute otherwise = nullptr)
      : held_(detail::pin(current, otherwise)) {}
  call_pin(const call_pin&) = delete;
  call_pin& operator=(const call_pin&) = delete;
  ~call_pin() { detail::unpin(*held_.slot); }

  /// The generation's functions and variables.
  const Api* operator->() const noexcept { return static_cast<const Api*>(held_.table); }

 private:
  detail::pinned held_;
};

/// Pins a generation until it is destroyed: several calls see one version, and a test and a call see the same optional.
///
/// Thread-safety: one thread at a time; may be moved to and dropped by another thread than the one that made it. A pin
/// that is never dropped (a longjmp over it, a leaked object) keeps its generation loaded for good, and makes later
/// calls of its thread a few nanoseconds slower.
template <class Api>
class [[nodiscard]] pin {
 public:
  /// @param current  a reloadable's; use reloadable::pin()
  /// @param otherwise  as call_pin's; use reloadable::try_pin()
  explicit pin(detail::published& current, detail::substitute otherwise = nullptr)
      : held_(detail::pin(current, otherwise)) {}
  /// Takes the generation over; calling through `other` is undefined afterwards.
  pin(pin&& other) noexcept : held_(std::exchange(other.held_, {})) {}
  /// Lets its own generation go and takes the other's over.
  pin& operator=(pin&& other) noexcept {
    if (this != &other) {
      release();
      held_ = std::exchange(other.held_, {});
    }
    return *this;
  }
  ~pin() { release(); }

  /// The generation's functions and variables.
  [[nodiscard]] const Api* operator->() const noexcept { return static_cast<const Api*>(held_.table); }
  /// The generation's API struct.
  [[nodiscard]] const Api& operator*() const noexcept { return *static_cast<const Api*>(held_.table); }

  /// Lets the generation go before the end of scope. Calling through the pin afterwards is undefined.
  void release() noexcept {
    if (held_.slot != nullptr) detail::unpin(*held_.slot);
    held_ = {};
  }

 private:
  detail::pinned held_;
};

}  // namespace autoreload
