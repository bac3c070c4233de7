// SPDX-License-Identifier: MIT
// memory: what the engine remembers between two looks at the file, and what follows from a look. Values and one pure
// function: no files, no clock, no threads.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <autoreload/event.hpp>

#include "reload/setback.hpp"

namespace autoreload {

using time_point = std::chrono::steady_clock::time_point;
inline constexpr time_point never = time_point::max();

/// All that one look leaves behind for the next.
struct memory {
  struct refusal {
    std::uint64_t build;  ///< a digest of the contents and of the dependencies' state
    error why;
  };
  struct wait {
    error why;
    time_point since;
  };
  std::optional<file_identity> looked_at;  ///< what the last verdict was about; empty: look whenever asked
  std::vector<std::string> needed;         ///< paths of the last inspected build's dependencies
  std::uint64_t needed_state = 0;          ///< of those, as the running generation found them; 0 also if in doubt
  std::optional<refusal> refused;          ///< so that the same contents are refused once
  std::optional<error> failure;            ///< why what is there does not run
  std::optional<wait> awaited;             ///< why there is nothing to load
  std::string said;                        ///< the last reason to wait that was told
  bool trouble = false;                    ///< refused or waiting is the last that was told
  std::uint64_t attempts = 0;              ///< builds that were loaded or refused
  std::optional<file_identity> busy_with;  ///< the file that somebody was writing
  std::chrono::milliseconds busy_pause{0};
  std::chrono::milliseconds handover_pause{0};  ///< before the next try, while calls hold a handover up
  time_point look_at = never;                   ///< when to look again without an event
  bool opening = true;                          ///< the engine's constructor runs: it tells at once what it waits for
};

/// What a look came to.
struct attempt {
  std::optional<setback> no = {};                      ///< nothing: it is published
  std::uint64_t generation = 0;                        ///< which runs now; 0: none
  std::optional<file_identity> settled = {};           ///< the file, if any later change would show
  std::uint64_t build = 0;                             ///< see memory::refusal
  std::optional<std::vector<std::string>> needs = {};  ///< its dependencies, if it came so far
  std::uint64_t needs_state = 0;                       ///< see memory::needed_state
  timings times = {};
  std::vector<std::string> warnings = {};
  std::shared_ptr<const state_report> state = {};  ///< see event::state
};

struct conclusion {
  memory next;
  std::vector<event> events;  ///< to be told, in order; without the path
};

/// What follows from a look.
[[nodiscard]] conclusion conclude(const memory& known, const attempt& result, time_point now);

}  // namespace autoreload
