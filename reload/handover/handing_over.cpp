// SPDX-License-Identifier: MIT
// handing_over: the last step of a reload: from the running generation to the one that was loaded.
#include <utility>

#include "crash/crash_table.hpp"
#include "reload/engine_core.hpp"
#include "reload/handover/guest.hpp"
#include "reload/handover/handover.hpp"
#include "reload/handover/quiet_moment.hpp"

namespace autoreload::detail {

// From the loaded candidate to the published generation. @return why it was not published
std::optional<setback> engine_core::hand_over(candidate& next, bool forced, start from, change how) {
  generation& made = next.made.front();
  generation* const old = history_.running();
  made.number = history_.next();
  made.base = next.base;
  made.guest =
      find_guest_functions(made.module->handle(), made.base, made.facts.segments, wanted_.chosen.handover.functions);
  answers_.make_room();
  struct known_to_crash_reports {
    generation& made;
    bool stays = false;
    ~known_to_crash_reports() {
      if (!stays) crash_table::remove(std::exchange(made.crash_ticket, 0));
    }
  } known{made};
  made.crash_ticket =
      crash_table::add(made.number, wanted_.path, made.base, made.facts.segments, made.image.memory.get());
  std::optional<handover> work;
  if (old != nullptr && from != start::fresh) work.emplace(wanted_, *old, next, by_hand_.get());
  std::optional<setback> no;
  if (work && work->is_needed()) {
    no = in_quiet(next, *work, forced, how);
  } else if (!put_in_place(next, forced, std::move(how))) {
    no = setback{setback_kind::withdrawn};  // resume() looks again
  }
  if (no || answers_.closed()) return no;
  known.stays = true;
  generation& running = *history_.running();
  const char* const name = wanted_.chosen.handover.functions.loaded.c_str();
  if (std::string thrown = call_guest(running.guest.loaded, name); !thrown.empty()) next.warnings.push_back(thrown);
  return {};
}

// While calls wait. Whatever ends this early opens the gate, and they go on in the old generation.
std::optional<setback> engine_core::in_quiet(candidate& next, handover& work, bool forced, change& how) {
  if (auto no = work.prepare()) return no;
  if (answers_.paused() && !forced) return setback{setback_kind::withdrawn};
  const generation& old = *history_.running();
  quiet_moment quiet(answers_, old.module->table());
  if (const auto disturbed = quiet.begin(wanted_.chosen.handover.limit)) return setback_of(*disturbed, wanted_, old);
  const auto still_wanted = [&] { return !answers_.closed() && (forced || !answers_.paused()); };
  if (auto no = work.migrate(still_wanted)) return no;
  if (answers_.closed()) return setback{setback_kind::withdrawn};
  next.lap(&timings::handover);
  (void)put_in_place(next, true, std::move(how));  // a pause that came since the last step was taken does not undo it
  return {};
}

}  // namespace autoreload::detail
