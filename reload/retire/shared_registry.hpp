// SPDX-License-Identifier: MIT
// shared_registry: the one list of pins in a process, whoever linked how many copies of this library.
//
// A host and its plugins may each have a static copy of us. Each copy's engines must see the pins of all, or a library
// is unloaded under the calls of another copy. The copies find each other by an ELF note that each carries in a mapped
// segment: dl_iterate_phdr shows it without any exported symbol. It leads to the copy's pointer to the shared list.
//
// LAYOUT  What is in here is read and written by all copies, which may come from different builds: plain data on the
// heap,
//         never freed, no pointer to code. Whoever changes it, or pin_block, changes layout_version: copies of
//         different versions refuse each other.
// SHARED  - the list grows at its head, by compare-exchange (release; who reads it acquires), and never shrinks.
//         - a record belongs to the thread that holds its mutex. The mutex is robust: when the thread ends, the kernel
//           marks it, and another thread may take it. So no code of ours runs at a thread's end, which might be gone by
//           then with the plugin that had it.
//         - slots and blocks: see pin.hpp. A record is taken over only when all its slots are empty, so a pin that was
//           moved to another thread may outlive its maker.
#pragma once

#include <pthread.h>
#include <sys/types.h>

#include <atomic>
#include <cstdint>

#include <autoreload/pin.hpp>

namespace autoreload {

struct pin_record {
  detail::pin_block block;
  std::atomic<pid_t> thread{0};   // as gettid() gives it
  std::atomic<pid_t> process{0};  // in which the mutex was made: a fork leaves the parent's behind
  pthread_mutex_t owner;
  pin_record* next = nullptr;
};

/// Code that must never be unloaded: an exception left it. Generations that have it stay.
struct kept_code {
  const void* address;
  kept_code* next;
};

struct pin_registry {
  std::atomic<pin_record*> records{nullptr};
  std::atomic<kept_code*> kept{nullptr};
  std::atomic<std::uint32_t> unfenced{0};      ///< some thread pins without a fence: see grace_period.hpp
  std::atomic<std::uint64_t> handing_over{0};  ///< the process and the thread that has a quiet moment, or 0
};

/// The process's. Any thread. @throws error of stage use when another version of this library is in use here
[[nodiscard]] pin_registry& shared_registry();

/// The same, or null as long as this copy of the library has not asked for it, and so has neither pinned nor loaded.
[[nodiscard]] pin_registry* known_registry() noexcept;

/// A record for the calling thread: its own from then on, until it ends. @throws std::bad_alloc
[[nodiscard]] pin_record& take_record(pin_registry& registry);

/// In a forked child, which has only the calling thread: what that thread held stays its own.
/// @param parent  the calling thread's number before the fork
void renew_records(pin_registry& registry, pid_t parent) noexcept;

}  // namespace autoreload
