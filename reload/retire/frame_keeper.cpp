// SPDX-License-Identifier: MIT
// frame_keeper: pins at the end of a poll(), and looks at the stack at the start of the next.
#include "reload/retire/frame_keeper.hpp"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

namespace autoreload {
namespace {

void add_code(std::vector<address_range>& places, std::uintptr_t base, const elf_facts& facts) {
  for (const load_segment& segment : facts.segments) {
    if ((segment.flags & PF_X) == 0) continue;
    places.push_back({base + segment.address, base + segment.address + segment.memory_size});
  }
}

void add_needs(std::vector<address_range>& places, const private_libraries& needs) {
  for (const auto& library : needs) {
    link_map* map = nullptr;
    if (library->handle != nullptr && dlinfo(library->handle, RTLD_DI_LINKMAP, &map) == 0) {
      add_code(places, map->l_addr, library->facts);
    }
    add_needs(places, library->needs);
  }
}

bool is_alive(pid_t thread) noexcept { return syscall(SYS_tgkill, getpid(), thread, 0) == 0; }

// Of the table the start alone: nobody has the address of a member without that of the struct for long.
std::vector<address_range> places_of(const generation& one) {
  std::vector<address_range> places;
  add_code(places, one.base, one.facts);
  add_needs(places, one.needs);
  const auto table = reinterpret_cast<std::uintptr_t>(one.module->table());
  places.push_back({table, table + sizeof(void*)});
  return places;
}

}  // namespace

void frame_keeper::begin(detail::published& current, const generation* running) {
  const void* const table = current.confirmed.load(std::memory_order_acquire);
  const pid_t self = gettid();
  current.polled_by.store(self, std::memory_order_relaxed);
  if (!held_.empty() && held_.back().pin.table == table && held_.back().thread == self) {
    current.frame.store(table, std::memory_order_relaxed);
    return;
  }
  held_.reserve(held_.size() + 1);
  one next{{}, self, running != nullptr ? places_of(*running) : std::vector<address_range>()};
  next.pin = detail::pin(current);
  current.frame.store(next.pin.table, std::memory_order_relaxed);
  held_.push_back(std::move(next));
}

bool frame_keeper::end(detail::published& current, const void* not_loaded, const void* stack) noexcept {
  const pid_t self = gettid();
  const void* const frame = current.frame.load(std::memory_order_relaxed);
  std::erase_if(held_, [&](const one& before) {
    // Another thread's stack can't be read while it runs: that one polls again, or ends, or its generation stays.
    if (before.thread != self && is_alive(before.thread)) return false;
    if (before.thread == self && !before.places.empty() && look_at_own_stack(stack, before.places) != on_stack::nothing)
      return false;
    if (before.pin.table == frame) current.frame.store(not_loaded, std::memory_order_relaxed);
    detail::unpin(*before.pin.slot);
    return true;
  });
  return held_.empty();
}

void frame_keeper::close(detail::published& current, const void* not_loaded, const void* stack) noexcept {
  (void)end(current, not_loaded, stack);
  const pid_t self = gettid();
  for (const one& before : held_) {
    if (before.thread != self) detail::unpin(*before.pin.slot);
  }
  held_.clear();
}

}  // namespace autoreload
