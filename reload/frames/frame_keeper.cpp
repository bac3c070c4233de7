// SPDX-License-Identifier: MIT
// frame_keeper: pins at the end of a poll(), and looks at the stack at the start of the next.
#include "reload/frames/frame_keeper.hpp"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "reload/retire/pin_registry.hpp"

namespace autoreload {
namespace {

void add_code(std::vector<address_range>& code, std::uintptr_t base, const elf_facts& facts) {
  for (const load_segment& segment : facts.segments) {
    if ((segment.flags & PF_X) == 0) continue;
    code.push_back({base + segment.address, base + segment.address + segment.memory_size});
  }
}

void add_needs(std::vector<address_range>& code, const private_libraries& needs) {
  for (const auto& library : needs) {
    link_map* map = nullptr;
    if (library->handle != nullptr && dlinfo(library->handle, RTLD_DI_LINKMAP, &map) == 0) {
      add_code(code, map->l_addr, library->facts);
    }
    add_needs(code, library->needs);
  }
}

bool is_alive(pid_t thread) noexcept { return syscall(SYS_tgkill, getpid(), thread, 0) == 0; }

std::vector<address_range> code_of(const generation& one) {
  std::vector<address_range> code;
  add_code(code, one.base, one.facts);
  add_needs(code, one.needs);
  return code;
}

// Of the table the start alone: nobody has the address of a member without that of the struct for long.
address_range place_of(const void* table) {
  const auto start = reinterpret_cast<std::uintptr_t>(table);
  return {start, start + sizeof(void*)};
}

// A `reloadable` may be on the stack itself.
address_range place_of(const detail::published& current) {
  const auto start = reinterpret_cast<std::uintptr_t>(&current);
  return {start, start + sizeof current};
}

}  // namespace

void frame_keeper::begin(detail::published& current, const generation* running, const void* stack) {
  const void* const table = current.confirmed.load(std::memory_order_acquire);
  const pid_t self = gettid();
  held_.reserve(held_.size() + 2);
  std::optional<one> before = std::exchange(ended_, std::nullopt);
  if (before && before->pin.table != table &&
      look_at_own_stack(stack, {place_of(before->pin.table)}, place_of(current)) != on_stack::nothing) {
    before->pin = hold_beside(before->pin.table);  // it retires now; under the engine's lock nobody unloads it yet
    held_.push_back(*std::move(before));
  }
  current.polled_by.store(self, std::memory_order_relaxed);
  const auto is_it = [&](const one& frame) { return frame.pin.table == table && frame.thread == self; };
  if (std::none_of(held_.begin(), held_.end(), is_it)) {
    one next{{}, self, running != nullptr ? code_of(*running) : std::vector<address_range>()};
    next.pin = detail::pin_beside(current, nullptr);
    held_.push_back(std::move(next));
  }
  current.frame.store(table, std::memory_order_relaxed);
}

bool frame_keeper::is_of_this_thread() const noexcept {
  return std::any_of(held_.begin(), held_.end(), [](const one& frame) { return frame.thread == gettid(); });
}

bool frame_keeper::is_inside(const one& frame, const void* stack, address_range but) {
  return !frame.code.empty() && look_at_own_stack(stack, frame.code, but) != on_stack::nothing;
}

bool frame_keeper::end(detail::published& current, const void* not_loaded, const void* stack) {
  const pid_t self = gettid();
  const void* const newest = current.confirmed.load(std::memory_order_acquire);
  const address_range but = place_of(current);
  bool nobody_inside = true;
  std::erase_if(held_, [&](one& before) {
    const bool old = before.pin.table != newest;
    if (before.thread == self) {
      const bool called = is_inside(before, stack, but);
      nobody_inside &= !called;
      if (called) return false;
      if (old && look_at_own_stack(stack, {place_of(before.pin.table)}, but) != on_stack::nothing) return false;
    } else if (is_alive(before.thread)) {
      // Its stack can't be read while it runs: it polls again, or ends, or its generation stays.
      nobody_inside = false;
      return false;
    }
    detail::unpin(*before.pin.slot);
    if (!old) ended_ = std::move(before);
    return true;
  });
  const auto is_shown = [&](const one& frame) {
    return frame.pin.table == current.frame.load(std::memory_order_relaxed);
  };
  if (std::none_of(held_.begin(), held_.end(), is_shown)) current.frame.store(not_loaded, std::memory_order_relaxed);
  return nobody_inside;
}

void frame_keeper::close(detail::published& current, const void* not_loaded, const void* stack) {
  const address_range but = place_of(current);
  for (const one& before : held_) {
    if (before.thread != gettid() || !is_inside(before, stack, but)) detail::unpin(*before.pin.slot);
  }
  held_.clear();
  ended_.reset();
  current.frame.store(not_loaded, std::memory_order_relaxed);
}

namespace detail {

void check_frame_thread(const published& current) {
  const pid_t polled_by = current.polled_by.load(std::memory_order_relaxed);
  if (polled_by == 0 || polled_by == gettid()) return;
  std::fputs(
      "autoreload: frame() was called by a thread that did not call poll() last: other threads call through a "
      "frame_pin() of their own, or through `->`\n",
      stderr);
  std::abort();
}

}  // namespace detail

}  // namespace autoreload
