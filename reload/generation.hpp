// SPDX-License-Identifier: MIT
// generation: one loaded version of the library and what it needs as long as it is loaded.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <string>

#include <autoreload/engine.hpp>
#include <autoreload/history.hpp>
#include <autoreload/unload.hpp>

#include "reload/dependencies/dependencies.hpp"
#include "reload/handover/guest.hpp"
#include "reload/inspect/inspect.hpp"
#include "reload/snapshot/snapshot.hpp"

namespace autoreload {

/// Destroying one unloads it: only the retire stage may, once the generation was published.
struct generation {
  generation() = default;
  generation(const generation&) = delete;
  generation& operator=(const generation&) = delete;
  ~generation();

  std::uint64_t number = 0;
  cause why = cause::first;
  std::chrono::system_clock::time_point since{};  // when it became the running one
  std::uint64_t crash_ticket = 0;                 // of the crash table
  snapshot image;  // outlives the module: its descriptor's number is in the link map's name
  elf_facts facts;
  std::string alias;        // its SONAME in this process, if it has one of its own
  private_libraries needs;  // closed after the module
  std::unique_ptr<detail::erased_module> module;
  std::uintptr_t base = 0;  // where its address 0 is in memory
  guest_functions guest;
  std::function<void()> farewell;  // of what carried its state on: to be called before it is unloaded
  std::string needed_by;           // what still points into it, in words: it must never be unloaded

  bool sent_away = false;    ///< nothing goes back to it but by its number
  bool quarantined = false;  ///< it crashed or hung in a guarded call

  // Once another took its place.
  std::string went;  // why
  std::chrono::steady_clock::time_point retired{};
  bool closed = false;                  ///< dlclose was called; it is still mapped
  bool reported = false;                ///< that it stays
  bool stuck = false;                   ///< that somebody doesn't come back from it was told
  bool dismissed = false;               ///< its own function that prepares unloading was called: it does not run again
  std::shared_ptr<unload_check> check;  ///< who may come back beside the pins, or null
  std::unique_ptr<unload_search> search;  ///< the one for this generation, once nobody pins it
  std::string held_by;                    ///< whom it told of, in its own form
  std::chrono::steady_clock::time_point held_told{};

  /// Nothing can go back to it any more.
  [[nodiscard]] bool leaves() const noexcept { return closed || dismissed; }
};

/// Generations go from list to list by splice, which can't fail: none is lost, or unloaded under its callers, for want
/// of memory.
using generations = std::list<generation>;

}  // namespace autoreload
