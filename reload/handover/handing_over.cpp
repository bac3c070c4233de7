// SPDX-License-Identifier: MIT
// handing_over: from the running generation to the one that was loaded, while calls wait.
#include <utility>

#include "reload/engine_core.hpp"
#include "reload/handover/handover.hpp"
#include "reload/handover/quiet_moment.hpp"

namespace autoreload::detail {

// While calls wait. Whatever ends this early opens the gate, and they go on in the old generation.
std::optional<setback> engine_core::in_quiet(candidate& next, handover& work, bool forced, change& how) {
  if (auto no = work.prepare()) return no;
  if (answers_.paused() && !forced) return setback{setback_kind::withdrawn};
  const generation& old = *history_.running();
  quiet_moment quiet(answers_, old.module->table());
  if (const auto disturbed = quiet.begin(wanted_.chosen.handover.limit)) return setback_of(*disturbed, wanted_, old);
  std::unique_ptr<stillness> hosts_calls;  // its end lets them go on: before the gate opens, after all is decided
  if (wanted_.api.host != nullptr) {
    auto still = wanted_.api.host->be_still(wanted_.chosen.handover.limit);
    if (!still) return setback{setback_kind::held_up, std::move(still.error().rename(wanted_.path))};
    hosts_calls = *std::move(still);
  }
  const auto still_wanted = [&] { return !answers_.closed() && (forced || !answers_.paused()); };
  if (auto no = work.migrate(still_wanted)) return no;
  if (answers_.closed()) return setback{setback_kind::withdrawn};
  next.lap(&timings::handover);
  (void)put_in_place(next, true, std::move(how));  // a pause that came since the last step was taken does not undo it
  return {};
}

}  // namespace autoreload::detail
