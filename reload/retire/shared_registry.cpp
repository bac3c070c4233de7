// SPDX-License-Identifier: MIT
// shared_registry: the one list of pins in a process, whoever linked how many copies of this library.
#include "reload/retire/shared_registry.hpp"

#include <elf.h>
#include <link.h>
#include <unistd.h>

#include <autoreload/error.hpp>
#include <cerrno>
#include <cstring>
#include <memory>
#include <new>
#include <string_view>

// The note (the sizes of its owner's name and of its content, its kind, both) and what it leads to. C++ can't write the
// distance between two addresses into read-only data.
#ifndef LAYOUT_VERSION  // a test makes another
#define LAYOUT_VERSION 2
#endif
#define TEXT_OF(number) #number
#define TEXT(number) TEXT_OF(number)
asm(R"(
  .pushsection .data.autoreload_registry, "aw", %progbits
  .globl autoreload_registry_of_this_copy
  .hidden autoreload_registry_of_this_copy
  .type autoreload_registry_of_this_copy, %object
  .balign 8
autoreload_registry_of_this_copy:
  .quad 0
  .size autoreload_registry_of_this_copy, 8
  .popsection
  .pushsection .note.autoreload, "a", %note
  .balign 4
  .long 11
  .long 8
  .long )" TEXT(LAYOUT_VERSION) R"(
  .asciz "autoreload"
  .balign 4
  .quad autoreload_registry_of_this_copy - .
  .popsection
)");

extern "C" std::atomic<autoreload::pin_registry*> autoreload_registry_of_this_copy
    __attribute__((visibility("hidden")));

namespace autoreload {
namespace {

using registry_pointer = std::atomic<pin_registry*>;

// What the copies that are loaded have chosen so far.
struct choice {
  pin_registry* registry = nullptr;
  bool other_version = false;
};

void read_notes(const std::byte* at, std::size_t left, std::size_t alignment, choice& into) {
  const auto padded = [&](std::size_t size) { return (size + alignment - 1) / alignment * alignment; };
  ElfW(Nhdr) header;
  while (left >= sizeof header) {
    std::memcpy(&header, at, sizeof header);
    const std::size_t content = sizeof header + padded(header.n_namesz);
    const std::size_t whole = content + padded(header.n_descsz);
    if (whole > left || whole < content) return;
    static constexpr std::string_view owner("autoreload\0", 11);
    const std::string_view name(reinterpret_cast<const char*>(at + sizeof header), header.n_namesz);
    if (name == owner && header.n_descsz == 8) {
      std::int64_t distance = 0;
      std::memcpy(&distance, at + content, sizeof distance);
      const auto* const pointer = reinterpret_cast<const registry_pointer*>(at + content + distance);
      pin_registry* const chosen = pointer->load(std::memory_order_acquire);
      if (chosen != nullptr && header.n_type == LAYOUT_VERSION) into.registry = chosen;
      if (chosen != nullptr && header.n_type != LAYOUT_VERSION) into.other_version = true;
    }
    at += whole;
    left -= whole;
  }
}

int visit_object(dl_phdr_info* object, std::size_t, void* into) {
  for (int i = 0; i < object->dlpi_phnum; ++i) {
    const ElfW(Phdr)& part = object->dlpi_phdr[i];
    if (part.p_type != PT_NOTE) continue;
    read_notes(reinterpret_cast<const std::byte*>(object->dlpi_addr + part.p_vaddr), part.p_memsz,
               part.p_align == 8 ? 8 : 4, *static_cast<choice*>(into));
  }
  return 0;
}

struct meeting {
  std::unique_ptr<pin_registry> offer = std::make_unique<pin_registry>();
  bool other_version = false;
};

// Inside a walk through the loaded objects the loader's lock is held (glibc's; it is recursive): copies that start at
// the same time choose one after the other. (Where that isn't so, as in musl, nothing is ever unloaded, either.)
int meet(dl_phdr_info*, std::size_t, void* argument) {
  auto& at = *static_cast<meeting*>(argument);
  choice others;
  dl_iterate_phdr(&visit_object, &others);
  at.other_version = others.other_version && others.registry == nullptr;
  if (at.other_version) return 1;
  pin_registry* const chosen = others.registry != nullptr ? others.registry : at.offer.release();
  autoreload_registry_of_this_copy.store(chosen, std::memory_order_release);
  return 1;
}

// 0 also when its last owner ended without giving it back.
int try_to_own(pthread_mutex_t& mutex) {
  const int answer = pthread_mutex_trylock(&mutex);
  return answer == EOWNERDEAD ? pthread_mutex_consistent(&mutex) : answer;
}

void make_mutex(pthread_mutex_t& mutex) {
  pthread_mutexattr_t kind;
  pthread_mutexattr_init(&kind);
  pthread_mutexattr_setrobust(&kind, PTHREAD_MUTEX_ROBUST);
  pthread_mutex_init(&mutex, &kind);
  pthread_mutexattr_destroy(&kind);
}

bool is_empty(pin_record& record) {
  for (detail::pin_block* block = &record.block; block != nullptr;
       block = block->more.load(std::memory_order_acquire)) {
    for (detail::pin_slot& slot : block->pins) {
      if (slot.load(std::memory_order_acquire) != nullptr) return false;
    }
  }
  return true;
}

}  // namespace

pin_registry* known_registry() noexcept { return autoreload_registry_of_this_copy.load(std::memory_order_acquire); }

pin_registry& shared_registry() {
  if (pin_registry* const chosen = known_registry()) return *chosen;
  meeting here;
  dl_iterate_phdr(&meet, &here);
  if (here.other_version) {
    throw error(stage::use, {},
                "another version of autoreload is in use in this process, which this one can't work with")
        .advise("link the program and all its plugins with the same version of autoreload");
  }
  return *known_registry();
}

pin_record& take_record(pin_registry& registry) {
  const auto make_own = [](pin_record& record) -> pin_record& {
    record.thread.store(gettid(), std::memory_order_release);
    return record;
  };
  for (pin_record* one = registry.records.load(std::memory_order_acquire); one != nullptr; one = one->next) {
    if (!is_empty(*one) || try_to_own(one->owner) != 0) continue;
    if (is_empty(*one)) return make_own(*one);
    pthread_mutex_unlock(&one->owner);
  }
  auto* const made = new pin_record;
  make_mutex(made->owner);
  made->process.store(getpid(), std::memory_order_relaxed);
  (void)try_to_own(made->owner);
  make_own(*made);
  made->next = registry.records.load(std::memory_order_relaxed);
  while (!registry.records.compare_exchange_weak(made->next, made)) {
  }
  return *made;
}

// Each copy of us calls this; the first does it.
void renew_records(pin_registry& registry, pid_t parent) noexcept {
  const pid_t process = getpid();
  for (pin_record* one = registry.records.load(std::memory_order_acquire); one != nullptr; one = one->next) {
    if (one->process.load(std::memory_order_relaxed) == process) continue;
    one->process.store(process, std::memory_order_relaxed);
    make_mutex(one->owner);
    if (one->thread.load(std::memory_order_relaxed) != parent) continue;
    one->thread.store(gettid(), std::memory_order_relaxed);
    (void)try_to_own(one->owner);
  }
}

}  // namespace autoreload
