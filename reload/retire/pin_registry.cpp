// SPDX-License-Identifier: MIT
// pin_registry: registers threads, finds slots for nested pins, and lists what is pinned.
//
// SHARED  the list of records, guarded by `registry_mutex`: threads add themselves and are taken out at their end, the
//         retire stage reads it. Records are never freed, only reused once all their slots are empty, so a pin that was
//         moved to another thread may outlive its maker.
//         A record's overflow blocks are added by its own thread and read by the retire stage: release and acquire.
// FORK    the mutex is held across fork. In the child only the forking thread lives on, but it may hold pins that other
//         threads made: all pins stay, and a record is reused once it is empty, as ever. What a thread was inside of
//         that the child doesn't have stays loaded there.
#include "reload/retire/pin_registry.hpp"

#include <linux/membarrier.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <autoreload/pin.hpp>
#include <deque>
#include <mutex>

namespace autoreload {
namespace {

using detail::pin_block;
using detail::pin_slot;

struct pin_record {
  pin_block block;
  pid_t thread = 0;
  bool in_use = false;
};

// Neither is ever destroyed: a thread may call into a library while the process's statics are being torn down.
std::mutex& registry_mutex() {
  static auto* const mutex = new std::mutex;
  return *mutex;
}
std::deque<pin_record>& records() {
  static auto* const list = new std::deque<pin_record>;
  return *list;
}

pthread_key_t exit_key;
bool has_exit_key = false;
bool membarrier_works = false;
thread_local pin_record* own_record = nullptr;

// What an unregistered thread's pointer leads to: a block whose first slot is always taken.
constinit pin_block unregistered{{{&unregistered}}, {nullptr}};

long membarrier(int command) { return syscall(SYS_membarrier, command, 0U, 0); }

template <class Visit>
void each_slot(pin_record& record, Visit visit) {
  for (pin_block* block = &record.block; block != nullptr; block = block->more.load(std::memory_order_acquire)) {
    for (pin_slot& slot : block->pins) visit(slot);
  }
}

bool is_empty(pin_record& record) {
  bool empty = true;
  each_slot(record, [&](pin_slot& slot) { empty = empty && slot.load(std::memory_order_acquire) == nullptr; });
  return empty;
}

void leave(void* record) {
  const std::lock_guard lock(registry_mutex());
  static_cast<pin_record*>(record)->in_use = false;
  own_record = nullptr;
  detail::this_thread = &unregistered;  // a later destructor of this thread may call again: it registers again
}

void fork_child() {
  for (pin_record& record : records()) {
    if (&record != own_record) record.in_use = false;
  }
  if (own_record != nullptr) own_record->thread = gettid();
  if (membarrier_works) membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED);
  registry_mutex().unlock();
}

pin_record& enter() {
  prepare_pins();
  const std::lock_guard lock(registry_mutex());
  pin_record* found = nullptr;
  for (pin_record& record : records()) {
    if (!record.in_use && is_empty(record)) {
      found = &record;
      break;
    }
  }
  if (found == nullptr) found = &records().emplace_back();
  if (has_exit_key) pthread_setspecific(exit_key, found);
  found->in_use = true;
  found->thread = gettid();
  own_record = found;
  if (membarrier_works) detail::this_thread = &found->block;
  return *found;
}

}  // namespace

namespace detail {

constinit thread_local pin_block* this_thread = &unregistered;

pinned pin_slowly(const std::atomic<const void*>& current) {
  pin_record& record = own_record != nullptr ? *own_record : enter();
  pin_slot* free = nullptr;
  pin_block* last = nullptr;
  for (pin_block* block = &record.block; block != nullptr && free == nullptr;
       block = block->more.load(std::memory_order_relaxed)) {
    last = block;
    for (pin_slot& slot : block->pins) {
      if (slot.load(std::memory_order_acquire) == nullptr) {
        free = &slot;
        break;
      }
    }
  }
  if (free == nullptr) {
    auto* const block = new pin_block;
    last->more.store(block, std::memory_order_release);
    free = &block->pins[0];
  }
  const void* const table =
      membarrier_works ? announce<false>(*free, current, no_seam{}) : announce<true>(*free, current, no_seam{});
  return {table, free};
}

}  // namespace detail

void prepare_pins() {
  static const bool once = [] {
    // membarrier's own command must be asked for first; it is refused by old kernels and by some seccomp filters.
    membarrier_works = membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) == 0;
    // Without a key a thread's record stays taken after its end: more memory for many short threads, nothing worse.
    has_exit_key = pthread_key_create(&exit_key, &leave) == 0;
    (void)records();
    pthread_atfork([] { registry_mutex().lock(); }, [] { registry_mutex().unlock(); }, &fork_child);
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

bool grace_barrier() noexcept {
  detail::full_fence();
  // It can fail after it was granted: a seccomp filter that came later, or no memory on some kernels.
  return !membarrier_works || membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED) == 0;
}

std::vector<held_pin> held_pins() {
  std::vector<held_pin> held;
  const std::lock_guard lock(registry_mutex());
  for (pin_record& record : records()) {
    each_slot(record, [&](pin_slot& slot) {
      const void* const table = slot.load(std::memory_order_acquire);
      if (table != nullptr) held.push_back({table, record.thread});
    });
  }
  return held;
}

}  // namespace autoreload
