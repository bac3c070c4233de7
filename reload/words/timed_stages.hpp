// SPDX-License-Identifier: MIT
// timed_stages: the stages that `timings` has a duration for, by name.
#pragma once

#include <array>
#include <string_view>

#include <autoreload/event.hpp>

namespace autoreload {

struct timed_stage {
  std::string_view name;
  timings::duration timings::*time;
};

/// In the order in which they run. `timings::total` is none of them.
inline constexpr std::array timed_stages{
    timed_stage{"snapshot", &timings::snapshot}, timed_stage{"inspect", &timings::inspect},
    timed_stage{"guard", &timings::guard},       timed_stage{"trial", &timings::trial},
    timed_stage{"load", &timings::load},         timed_stage{"verify", &timings::verify},
    timed_stage{"handover", &timings::handover}, timed_stage{"publish", &timings::publish},
};
static_assert(sizeof(timings) == (timed_stages.size() + 1) * sizeof(timings::duration),
              "a duration of `timings` is not in the list");

}  // namespace autoreload
