// SPDX-License-Identifier: MIT
// holders: who in this process may still come back to a library that is about to be unloaded.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>

#include <autoreload/language.hpp>
#include <autoreload/unload.hpp>

namespace autoreload {

/// What has to be gone, beside the pins, before an old generation is unloaded. What each costs and sees is in
/// docs/holders.md.
enum class unload_policy : std::uint8_t {
  pins,     ///< nothing else
  threads,  ///< threads that run in its code or return into it, pointers to its code on stacks, signal handlers
  all,      ///< these, and every word of the process's writable memory that leads into its code or its data
};

/// For `options.unload`. An old generation that has a holder stays loaded, an event `retained` names the holders, and
/// it is unloaded when they are gone. The search runs on a thread of its own, so that neither poll() nor a reload waits
/// for it, and takes at most a twentieth of one processor.
///
/// A generation whose function `autoreload_unloading` (see handover_options) was called to end its threads and take its
/// handlers back is looked at afterwards, and does not run again.
///
/// Thread-safety: any thread; the result may be given to any number of engines.
/// @return null for `pins`
/// @throws std::bad_alloc
[[nodiscard]] AUTORELOAD_API std::shared_ptr<unload_check> unload_when(unload_policy policy = unload_policy::threads);

/// The loaded library at an address, as who_holds() wants it: found by what the loader tells of it. The caller may add
/// `file` and `ours`.
/// Thread-safety: any thread; waits for no constructor.
/// @param address  any that belongs to the library
/// @return nothing when no loaded library is there
/// @throws std::bad_alloc
[[nodiscard]] AUTORELOAD_API std::optional<held_image> image_at(const void* address);

/// Looks who may come back to a library, once, on the calling thread, which itself doesn't count.
///
/// It is a search, and no proof: a pointer that moves while the search runs, from where it has not looked yet to where
/// it has looked already, is missed. docs/holders.md lists what is not seen.
///
/// Thread-safety: any thread. No lock of the loader's or of malloc's is held while threads are stopped.
/// @param image      what may be held
/// @param policy     how far to look. `pins` finds nobody
/// @param cancelled  ends the search early when it becomes true; the report then is not complete. Null: nobody does
/// @throws std::bad_alloc
[[nodiscard]] AUTORELOAD_API holder_report who_holds(const held_image& image, unload_policy policy,
                                                     const std::atomic<bool>* cancelled = nullptr);

}  // namespace autoreload
