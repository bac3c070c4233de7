// SPDX-License-Identifier: MIT
// engine_core: one library's pipeline and its state.
//
// SHARED
// - Everything but what is named here is guarded by `work_`, held while the pipeline runs: see work_lock.hpp.
// - `answers_` and `outbox_` have locks of their own, which are never held while anything of the user's runs.
// - `current_`: see pin.hpp. `deadline_` and `closing_` are single values that stand alone; the default order is for
//   simplicity, none is on a call's path. `source_` says by itself which of its functions any thread may call.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <autoreload/engine.hpp>

#include "reload/answers.hpp"
#include "reload/generation.hpp"
#include "reload/memory.hpp"
#include "reload/outbox.hpp"
#include "reload/pipeline.hpp"
#include "reload/retire/retire.hpp"
#include "reload/snapshot/snapshot.hpp"
#include "reload/watch/watch.hpp"
#include "reload/work_lock.hpp"
#include "system/unique_fd.hpp"

namespace autoreload {
class service;
}

namespace autoreload::detail {

class engine_core : public std::enable_shared_from_this<engine_core> {
 public:
  using clock = std::chrono::steady_clock;

  engine_core(loader api, std::string path, options chosen, std::atomic<const void*>& current);
  engine_core(const engine_core&) = delete;
  engine_core& operator=(const engine_core&) = delete;
  ~engine_core() = default;

  /// Watches, looks for the first time, and joins the service.
  void open();
  /// Leaves the service, unpublishes and retires the running generation.
  void close();

  /// Does what is due: reload, report, unload. Throws only what an observer throws.
  void step();
  /// When step() is next worth a call, unless an event comes first.
  [[nodiscard]] time_point deadline() const noexcept;

  void poll();
  result<void> reload();
  void pause();
  void resume();
  [[nodiscard]] int readable() const noexcept { return readable_.get(); }
  [[nodiscard]] std::uint64_t number() const noexcept { return answers_.number(); }
  [[nodiscard]] std::uint64_t number_of(const void* table) const { return answers_.number_of(table); }
  [[nodiscard]] std::optional<error> failure() const { return answers_.failure(); }
  [[nodiscard]] const std::string& path() const noexcept { return wanted_.path; }
  /// Whether this process is a fork of the one that made the engine.
  [[nodiscard]] bool forked() const noexcept;
  [[nodiscard]] watch_mode watching() const noexcept { return polling_ ? watch_mode::polling : watch_mode::inotify; }

 private:
  class at_work;

  // watching
  void start_watching();
  void watch_again();
  void fall_back_to_polling(const error& reason);
  [[nodiscard]] bool is_due(time_point now);
  [[nodiscard]] bool leads_elsewhere();

  // looking
  void look();
  [[nodiscard]] std::optional<setback> examine(bool forced);
  [[nodiscard]] std::optional<setback> examine_or_wait_for_memory(bool forced);
  void try_again_later() noexcept;
  [[nodiscard]] bool put_in_place(candidate& next, bool forced);
  void remember(const attempt& result);
  void maintain();
  void sweep();
  void set_deadline();
  void tell(event happened);
  void give_up_trial() noexcept;

  const order wanted_;
  std::atomic<const void*>* current_;  // null once closed
  const pid_t process_;
  const unique_fd cancel_;  // an eventfd that ends a trial load, if there are any

  work_mutex work_;
  std::shared_ptr<watch_hub> own_hub_;  // manual drive
  std::optional<watch> watch_;
  std::vector<std::string> watched_;  // dependencies that are watched by now
  time_point poll_at_ = never;        // polling's next look
  std::atomic<bool> polling_{false};
  snapshotter reader_;
  writer_patience patience_;
  generations running_;  // one, or none
  retirer retired_;
  time_point sweep_at_ = never;  // another attempt to unload
  std::chrono::milliseconds sweep_pause_{0};
  memory memory_;
  bool untidy_ = false;  // what nobody waits for is still to be done

  std::atomic<clock::rep> deadline_{never.time_since_epoch().count()};
  std::atomic<bool> closing_{false};
  answers answers_;
  outbox outbox_{wanted_.chosen.observer};

  unique_fd readable_;  // manual drive: an epoll of the hub and the timer
  unique_fd timer_;
  std::shared_ptr<service> service_;
};

}  // namespace autoreload::detail
