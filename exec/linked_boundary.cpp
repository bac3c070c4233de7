// SPDX-License-Identifier: MIT
// linked_boundary: a build that is taken over when a chosen function is called.
#include "exec/linked_library.hpp"

#include <chrono>
#include <thread>
#include <utility>

#include "exec/journal.hpp"

namespace autoreload::exec {

void linked_library::set_boundary(const std::string& function) {
  if (function.empty()) return;
  for (std::uint32_t i = 0; i < where_.header->functions && boundary_.empty(); ++i) {
    if (key_name(i) != function) continue;
    boundary_ = function;
    where_.header->boundary = i;
    first_boundary_ = where_.header->first_table[i];
  }
  if (boundary_.empty()) {
    say("\"" + std::string(where_.header->path) + "\" exports no " + function +
        "(): its builds are taken over at once");
  }
}

// By a call of the function, whatever build it begins in: only the newest one's table has its own.
void linked_library::lead_over_at_boundary() {
  standin_header& header = *where_.header;
  lead_boundary(*newest_, false);
  header.next.store(newest_->table(), std::memory_order_release);
  for (const auto& one : builds_) {
    if (one->inverted_table != newest_->inverted_table) lead_boundary(*one, true);
  }
}

// @param to_notice  not to the build's own function
void linked_library::lead_boundary(const build& one, bool to_notice) {
  const std::uint32_t slot = where_.header->boundary;
  void* to = where_.header->notices + std::size_t{slot} * stub_size;
  if (!to_notice && one.base == 0) to = first_boundary_;
  const exported_symbol* const own = to_notice || one.base == 0 ? nullptr : function_of(slot, one.exported);
  if (own != nullptr) to = target_of(one, *own);
  __atomic_store_n(one.table() + slot, to, __ATOMIC_RELEASE);
}

// ---- a boundary at which variables are handed over: the call itself closes the gate, and waits there

void linked_library::arm_boundary() {
  if (newest_ == nullptr || std::exchange(armed_, true)) return;
  where_.header->next.store(where_.header->waiting, std::memory_order_release);
  lead_boundary(*newest_, true);
  if (std::exchange(attended_, true)) return;
  const auto run = [](void* self) -> void* {
    static_cast<linked_library*>(self)->attend_boundary();
    return nullptr;
  };
  if (!start_thread(run, this)) disarm_boundary();
}

// First the slot: who finds no other table to come looks at it once more.
void linked_library::disarm_boundary() {
  if (newest_ == nullptr || !std::exchange(armed_, false)) return;
  lead_boundary(*newest_, false);
  where_.header->next.store(newest_->table(), std::memory_order_release);
}

// On a thread of its own. Tells the engine that a call waits at the boundary; a call that the engine does not come for,
// as the build was taken back, goes on.
void linked_library::attend_boundary() {
  constexpr std::chrono::milliseconds often{100};  // the call wakes it; that may come just before it sleeps
  constexpr std::chrono::milliseconds longest{500};
  const auto waits = [&] {
    const std::lock_guard lock(mutex_);
    return armed_ && !still_ && gate_.is_closed();
  };
  for (;;) {
    gate_.wait_for_change(often);
    if (!waits()) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      continue;
    }
    engine_->resume();
    const auto until = std::chrono::steady_clock::now() + longest;
    while (waits() && std::chrono::steady_clock::now() < until) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    const std::lock_guard lock(mutex_);
    if (!armed_ || still_ || !gate_.is_closed()) continue;
    disarm_boundary();
    gate_.open(newest_->table());
  }
}

}  // namespace autoreload::exec
