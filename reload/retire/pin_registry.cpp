// SPDX-License-Identifier: MIT
// pin_registry: registers threads, finds slots for nested pins, and lists what is pinned.
//
// SHARED  the records of all threads: see shared_registry.hpp. A record's overflow blocks are added by its own thread,
//         and read by the retire stage: release and acquire.
// FORK    in the child only the forking thread lives on, but it may hold pins that other threads made: all pins stay,
//         and a record is reused once it is empty, as ever. What a thread was inside of that the child doesn't have
//         stays loaded there.
#include "reload/retire/pin_registry.hpp"

#include <pthread.h>
#include <unistd.h>

#include <autoreload/pin.hpp>

#include "reload/retire/grace_period.hpp"
#include "reload/retire/shared_registry.hpp"

namespace autoreload {
namespace {

using detail::pin_block;
using detail::pin_slot;

// Of this copy of us.
bool membarrier_works = false;
pid_t forking = 0;  // the thread that forks, in the parent
constinit thread_local pin_record* own_record = nullptr;

// What an unregistered thread's pointer leads to: a block whose first slot is always taken.
constinit pin_block unregistered{{{&unregistered}}, {nullptr}};

void fork_child() {
  renew_records(shared_registry(), forking);
  if (membarrier_works) (void)ask_for_membarrier();
}

pin_record& enter() {
  prepare_pins();
  pin_registry& registry = shared_registry();
  own_record = &take_record(registry);
  if (membarrier_works) {
    registry.unfenced.store(1);
    detail::full_fence();  // see pass_grace_period: it may have been too early to see this thread
    detail::this_thread = &own_record->block;
  }
  return *own_record;
}

// Until `found(pin)` says true.
template <class Found>
void look_at_pins(Found found) {
  const pin_registry* const registry = known_registry();
  if (registry == nullptr) return;
  for (pin_record* one = registry->records.load(); one != nullptr; one = one->next) {
    for (pin_block* block = &one->block; block != nullptr; block = block->more.load(std::memory_order_acquire)) {
      for (pin_slot& slot : block->pins) {
        const void* const table = slot.load(std::memory_order_acquire);
        if (table != nullptr && found(held_pin{table, one->thread.load(std::memory_order_relaxed)})) return;
      }
    }
  }
}

}  // namespace

namespace detail {

constinit thread_local pin_block* this_thread = &unregistered;

namespace {

// A slot of this thread's that is free, from the given one on in its first block.
pin_slot& free_slot(std::size_t from) {
  pin_record& record = own_record != nullptr ? *own_record : enter();
  pin_block* last = nullptr;
  for (pin_block* block = &record.block; block != nullptr; block = block->more.load(std::memory_order_relaxed)) {
    last = block;
    for (; from < slots_per_block; ++from) {
      if (block->pins[from].load(std::memory_order_acquire) == nullptr) return block->pins[from];
    }
    from = 0;
  }
  auto* const block = new pin_block;
  last->more.store(block, std::memory_order_release);
  return block->pins[0];
}

pinned pin_in(pin_slot& slot, published& current, substitute otherwise) {
  const void* const table = membarrier_works ? announce<false>(slot, current, no_seam{}, otherwise)
                                             : announce<true>(slot, current, no_seam{}, otherwise);
  return {table, &slot};
}

}  // namespace

pinned pin_slowly(published& current, substitute otherwise) { return pin_in(free_slot(0), current, otherwise); }

pinned pin_beside(published& current, substitute otherwise) { return pin_in(free_slot(1), current, otherwise); }

}  // namespace detail

detail::pinned hold_beside(const void* table) {
  detail::pin_slot& slot = detail::free_slot(1);
  slot.store(table, std::memory_order_release);
  return {table, &slot};
}

void prepare_pins() {
  static const bool once = [] {
    (void)shared_registry();
    membarrier_works = ask_for_membarrier();  // refused by old kernels and by some seccomp filters
    pthread_atfork([] { forking = gettid(); }, nullptr, &fork_child);
    return true;
  }();
  (void)once;
}

void attach_thread(std::size_t pins) {
  pin_record& record = own_record != nullptr ? *own_record : enter();
  pin_block* block = &record.block;
  for (std::size_t room = detail::slots_per_block; room < pins; room += detail::slots_per_block) {
    pin_block* more = block->more.load(std::memory_order_relaxed);
    if (more == nullptr) block->more.store(more = new pin_block, std::memory_order_release);
    block = more;
  }
}

bool has_membarrier() noexcept { return membarrier_works; }

grace grace_barrier() noexcept {
  const pin_registry* const registry = known_registry();
  return registry != nullptr ? pass_grace_period(*registry) : grace{false};
}

std::vector<held_pin> held_pins() {
  std::vector<held_pin> held;
  look_at_pins([&](const held_pin& one) {
    held.push_back(one);
    return false;
  });
  return held;
}

std::optional<held_pin> pin_of(const void* table) noexcept {
  std::optional<held_pin> holder;
  look_at_pins([&](const held_pin& one) {
    if (one.table == table) holder = one;
    return holder.has_value();
  });
  return holder;
}

bool this_thread_pins(const void* table) noexcept {
  const pid_t self = gettid();
  bool does = false;
  look_at_pins([&](const held_pin& one) { return does = one.thread == self && one.table == table; });
  return does;
}

}  // namespace autoreload
