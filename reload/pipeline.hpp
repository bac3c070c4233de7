// SPDX-License-Identifier: MIT
// pipeline: the way of a new library into the process, one stage after the other.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <autoreload/engine.hpp>
#include <autoreload/state.hpp>

#include "reload/generation.hpp"
#include "reload/history/history.hpp"
#include "reload/memory.hpp"
#include "reload/setback.hpp"
#include "reload/snapshot/snapshot.hpp"
#include "reload/spare_time.hpp"
#include "trial/beside.hpp"

namespace autoreload {

/// What an engine was made with.
struct order {
  const detail::loader api;
  const std::string path;  ///< as the user named it
  const std::string file;  ///< the same from the root: the host may change its working directory
  const options chosen;
  const pid_t process;  ///< that made it; a fork of it is another
};
/// @throws error of stage use when the options make no sense
[[nodiscard]] order make_order(const detail::loader& api, std::string path, options chosen);

inline constexpr std::size_t stage_count = 11;

/// What the stages may know.
struct context {
  const order& wanted;
  const memory& known;
  const history& past;
  bool forced = false;                       ///< load it also when its contents are what runs, or were refused
  bool carries_state = false;                ///< see guard_request
  const snapshot* again = nullptr;           ///< load what this is a copy of, and not what is at the path; or null
  bool patient = false;                      ///< wait here for its trial load
  int cancel = -1;                           ///< a descriptor that ends such a wait when it becomes readable
  const std::function<void()>& trial_ended;  ///< called on a thread of the trial's, if nobody waits for it here
  const running_library* self;               ///< the engine's entry, for libraries that need one another
  snapshotter& reader;
  change_source* watched = nullptr;  ///< of what is at the path
  spare_time& time;                  ///< when it is over, the candidate goes on with a later call
  std::array<usual_duration, stage_count>& usual;
};

/// A build on its way. What it holds goes with it, whatever ends the way.
struct candidate {
  explicit candidate(time_point woken) : lap_began(woken), began(woken) {}

  struct give_back {
    void operator()(snapshotter* reader) const { reader->drop(); }
  };
  std::size_t stage = 0;                          // the next one
  bool put_off = false;                           // it waits for a call that has time for it
  std::unique_ptr<snapshotter, give_back> lease;  // of the bytes
  std::span<const std::byte> bytes;               // the whole file
  snapshot image;
  file_identity source;                       // what the bytes were read from
  std::chrono::nanoseconds unfinished_for{};  // see snapshot_outcome
  bool is_running = false;                    // its own contents are what runs; its dependencies may not be
  elf_facts facts;
  std::string hosts;  // where a host that is linked with the library has this very build, or empty
  std::string alias;  // see generation
  dependencies needs;
  std::unique_ptr<trial_beside> trial;  // while it runs
  generations made{1};                  // the generation that it becomes
  std::uintptr_t base = 0;
  std::unique_ptr<state_plan> plan;           // made while calls went on
  std::uint64_t plan_from = 0;                // the generation that it carries from
  std::shared_ptr<const state_report> state;  // what was carried
  std::string needs_old;                      // why the old generation must stay
  std::vector<std::string> warnings;
  timings times;
  time_point lap_began;
  time_point began;

  /// Whether what is at the path is what this was read from, and its dependencies are as they were.
  [[nodiscard]] bool is_at(const std::string& file) const;
  /// Adds the time since the last lap to one of the timings.
  void lap(timings::duration timings::*of) {
    const time_point now = std::chrono::steady_clock::now();
    times.*of += now - std::exchange(lap_began, now);
    times.total = now - began;
  }
};

/// Takes a build through all stages up to verification; one that is on trial goes on where it was. Load before unload,
/// always: whatever ends this early leaves the running generation as it was.
/// @return why it can't be published, or nothing
[[nodiscard]] std::optional<setback> run_stages(const context& here, candidate& next);

/// It goes on with a later call.
[[nodiscard]] setback put_off(candidate& next);

/// A digest of a build's contents and its dependencies' state. @param next  its bytes are read
[[nodiscard]] std::uint64_t digest_of(const candidate& next);

}  // namespace autoreload
