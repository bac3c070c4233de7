// SPDX-License-Identifier: MIT
// storm_caller: a thread that calls a counting library in every way there is, and knows how often it did.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <thread>

namespace support {

/// The library adds one for each call: the sum is of the library's own memory.
/// @tparam Add  the member of its API struct that adds one and returns the sum; `visit` calls what it is given
template <class Library, auto Add>
struct storm_caller {
  const Library& lib;
  const std::atomic<bool>& stop;
  std::chrono::milliseconds lingering{0};  // inside each nested call
  std::uint64_t added = 0;
  std::uint64_t refused = 0;

  void run(std::uint64_t start) {
    for (std::uint64_t i = start; !stop; ++i) {
      switch (i % 16) {
        case 0: nested(); break;
        case 1: pinned(); break;
        case 2: tried(); break;
        case 3: from_a_new_thread(); break;
        default: plain(); break;
      }
    }
  }
  void plain() {
    (void)lib->add();
    ++added;
  }
  void nested() {
    (void)lib->visit(
        [](void* self) {
          auto& here = *static_cast<storm_caller*>(self);
          here.plain();
          if (here.lingering.count() != 0) std::this_thread::sleep_for(here.lingering);
          here.plain();
        },
        this);
  }
  void pinned() {
    const auto pin = lib.pin();
    const std::uint64_t first = pin->add();
    if (pin->add() <= first) std::abort();  // a handover took it away under the pin
    added += 2;
  }
  void tried() {
    if (lib.template try_call<Add>()) {
      ++added;
    } else {
      ++refused;
    }
  }
  void from_a_new_thread() {
    std::thread([&] { (void)lib->add(); }).join();
    ++added;
  }
};

}  // namespace support
