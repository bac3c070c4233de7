// SPDX-License-Identifier: MIT
// setback: the one vocabulary in which any stage says "not this time".
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include <autoreload/error.hpp>

#include "reload/inspect/inspect.hpp"
#include "reload/snapshot/file_identity.hpp"

namespace autoreload {

/// What has to be done about it next.
enum class setback_kind : std::uint8_t {
  unchanged,          ///< nothing: what is there is what runs
  withdrawn,          ///< nothing: nobody wants the answer any more, or not now
  on_trial,           ///< nothing yet: look again when its trial load has ended
  put_off,            ///< nothing yet: go on with the next call that has time
  held_up,            ///< say so, and look again later: it is loaded, and its handover waits for calls to end
  busy,               ///< look again in a moment, and say nothing: somebody is writing the file
  unfinished,         ///< wait for the next event: absent or incomplete. Say so if it lasts
  shortage,           ///< say so, and look again later: what ran out may come back without an event
  refused_elsewhere,  ///< say so, and look again at any event: the reason is not in the contents
  refused_content,    ///< say so, and don't look at these contents again
  held,               ///< say so, and don't look at these contents again until they are wanted
  refused_before,     ///< nothing: these contents were refused or sent away, and that was said
};

/// Why a stage sent a build away. A value.
struct setback {
  setback_kind kind;
  /// Whether it is an answer to what the file is, and no request for patience.
  [[nodiscard]] bool is_decision() const noexcept {
    return kind == setback_kind::unchanged || kind == setback_kind::refused_elsewhere ||
           kind == setback_kind::refused_content || kind == setback_kind::held || kind == setback_kind::refused_before;
  }
  /// Whether the build stays with the engine, and goes on from where it is.
  [[nodiscard]] bool goes_on() const noexcept {
    return kind == setback_kind::on_trial || kind == setback_kind::held_up || kind == setback_kind::put_off;
  }
  std::optional<error> why = {};              ///< of all but unchanged, withdrawn, on_trial and put_off
  std::optional<file_identity> writing = {};  ///< the file that somebody writes: no event may tell that they are done
  std::optional<std::chrono::nanoseconds> again_in = {};  ///< of unfinished: it may be finished then, without any event
};

/// What an inspected file's "no" means, if it is one; without the path. Asks the loader about sanitizers' runtimes.
/// @param needs_digest    see options::require_digest
/// @param unfinished_for  see snapshot_outcome
[[nodiscard]] std::optional<setback> setback_of(const inspection& seen, bool needs_digest,
                                                std::chrono::nanoseconds unfinished_for);

/// What dlopen meant. It tells by its words alone, and not by all of them.
/// @param failure  with dlopen's words as the system's
/// @param image    descriptor of what was to be mapped
[[nodiscard]] setback setback_of_dlopen(error failure, int image);

/// Advises on what ran out, where the system's words tell that it was descriptors.
void advise_on_shortage(setback& no);

}  // namespace autoreload
