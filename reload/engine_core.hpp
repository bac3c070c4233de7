// SPDX-License-Identifier: MIT
// engine_core: one library's pipeline and its state.
//
// SHARED
// - Everything but what is named here is guarded by `work_`, held while the pipeline runs: see work_lock.hpp.
// - `answers_`, `outbox_` and `by_hand_` have locks of their own. These are never held while code of the user's runs.
// - `schedule_`, `probation_`, `source_` and `driver_` say by themselves which of their functions any thread may call.
#pragma once

#include <array>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <autoreload/engine.hpp>

#include "reload/answers.hpp"
#include "reload/dependencies/running_libraries.hpp"
#include "reload/drive/driver.hpp"
#include "reload/going_back/probation.hpp"
#include "reload/handover/handover.hpp"
#include "reload/history/history.hpp"
#include "reload/memory.hpp"
#include "reload/outbox.hpp"
#include "reload/pipeline.hpp"
#include "reload/schedule.hpp"
#include "reload/snapshot/snapshot.hpp"
#include "reload/watch/change_source.hpp"
#include "reload/work_lock.hpp"
#include "system/unique_fd.hpp"

namespace autoreload {
class frame_keeper;
}  // namespace autoreload

namespace autoreload::detail {

class engine_core : public std::enable_shared_from_this<engine_core> {
 public:
  using clock = std::chrono::steady_clock;

  engine_core(loader api, std::string path, options chosen, published& current);
  engine_core(const engine_core&) = delete;
  engine_core& operator=(const engine_core&) = delete;
  ~engine_core();

  /// Watches, looks for the first time, and joins its driver.
  void open();
  /// Leaves the driver, unpublishes and retires the running generation. @param stack  as poll()'s
  void close(const void* stack = nullptr);

  /// Does what is due: reload, report, unload. Throws only what an observer throws.
  void step() {
    spare_time any;
    step(any);
  }
  /// The same, as far as there is time. @param stack  of a poll(): its thread's frame ends and begins here; or null
  void step(spare_time& time, const void* stack = nullptr);
  /// When step() is next worth a call, unless an event comes first.
  [[nodiscard]] time_point deadline() const noexcept { return schedule_.deadline(); }

  /// @param stack  the caller's frame: see look_at_own_stack()
  void poll(std::chrono::nanoseconds budget = std::chrono::nanoseconds::max(), const void* stack = nullptr);
  /// @param stack  as poll()'s
  result<void> reload(start from = start::carried, const void* stack = nullptr);
  void on_handover(handover_function run) { by_hand_.set(std::move(run)); }
  /// A guarded call came back from the generation with this table: for its probation.
  void came_back(const void* table);
  [[nodiscard]] std::vector<generation_record> records();
  void pause() { answers_.pause(true); }
  void resume();
  [[nodiscard]] int readable() const { return driver_->descriptor(); }
  [[nodiscard]] std::uint64_t number() const noexcept { return answers_.number(); }
  [[nodiscard]] std::uint64_t number_of(const void* table) const { return answers_.number_of(table); }
  [[nodiscard]] std::optional<error> failure() const { return answers_.failure(); }
  [[nodiscard]] const std::string& path() const noexcept { return wanted_.path; }
  /// Whether this process is a fork of the one that made the engine.
  [[nodiscard]] bool forked() const noexcept;
  [[nodiscard]] watch_mode watching() const noexcept { return source_->mode(); }

 private:
  friend class going_back;
  class at_work;
  class frame_boundary;

  void let_go_of_all();

  // a step
  void work(spare_time& time, const void* stack);
  [[nodiscard]] bool is_due(time_point now);
  void look(spare_time& time);
  [[nodiscard]] bool watch_what_matters() {
    const result<bool> armed = source_->arm(memory_.needed);
    return armed && *armed;
  }
  void maintain(spare_time& time);
  void sweep();
  void set_deadline();

  // a look at the file
  [[nodiscard]] std::optional<setback> examine(bool forced, start from, spare_time& time);
  [[nodiscard]] std::optional<setback> examine_or_wait_for_memory(bool forced, start from, spare_time& time);
  void try_again_later() noexcept;
  void remember(const attempt& result);

  // from a loaded candidate to the running generation
  struct change {
    cause why;
    std::string went;  // why the running one runs no more
  };
  [[nodiscard]] std::optional<setback> hand_over(candidate& next, bool forced, start from, change how);
  [[nodiscard]] std::optional<setback> in_quiet(candidate& next, handover& work, bool forced, change& how);
  [[nodiscard]] bool put_in_place(candidate& next, bool anyway, change how);
  void offer_running();

  [[nodiscard]] result<void> may_change(const at_work& here) const;
  [[nodiscard]] error is_fork() const;
  void be_asked();
  void tell(event happened);
  void tell(event_kind what, std::string text) { tell({what, number(), {}, std::move(text), std::nullopt, {}}); }

  const order wanted_;
  std::shared_ptr<driver> driver_;  // until it is closed
  work_mutex work_;
  std::unique_ptr<change_source> source_;
  snapshotter reader_;
  history history_{wanted_.chosen.history, wanted_.chosen.keep_old, wanted_.chosen.stuck_after, wanted_.chosen.unload};
  memory memory_;
  std::unique_ptr<running_library> offered_;  // to the libraries of other engines that need this one
  std::unique_ptr<candidate> on_trial_;
  struct {
    bool watched = false;  // what it depends on may be something else by now
    bool copied = false;   // the copy lacks debug information, and the next one its memory
    [[nodiscard]] bool any() const noexcept { return watched || copied; }
  } untidy_;  // what nobody waits for and is still to be done
  struct {
    std::array<usual_duration, stage_count> stages;
    usual_duration handover, watching, copying, unloading;
  } usual_;  // what each took
  schedule schedule_;
  answers answers_;
  outbox outbox_{wanted_.chosen.observer};

  // null, or of no use, unless it is asked for
  const unique_fd cancel_;  // an eventfd that ends a trial load that somebody waits for
  const std::unique_ptr<frame_keeper> frames_;
  const std::unique_ptr<probation> probation_;
  by_hand by_hand_;
};

// Holds work_. Meanwhile the service has nothing to wait for here.
class engine_core::at_work {
 public:
  at_work(engine_core& core, work_lock::how acquire) : core_(core), lock_(core.work_, acquire) {
    if (lock_.held()) core_.schedule_.set_deadline(never);
  }
  at_work(const at_work&) = delete;
  at_work& operator=(const at_work&) = delete;
  ~at_work() {
    if (lock_.held()) core_.set_deadline();
  }
  const work_lock* operator->() const noexcept { return &lock_; }

 private:
  engine_core& core_;
  work_lock lock_;
};

}  // namespace autoreload::detail
