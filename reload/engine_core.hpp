// SPDX-License-Identifier: MIT
// engine_core: one library's pipeline and its state.
//
// SHARED
// - The pipeline's state (watch, running generation, retired ones, snapshotter) is guarded by `work_`, held while the
//   pipeline runs. A thread that holds it and comes back (a constructor of the library calls the host, which calls
//   reload()) is turned away instead of deadlocking. `waiting_` counts who waits for it: the service, which takes it
//   again and again while builds come in, stays away meanwhile; a mutex alone would let it starve them.
// - `tables_` and `failure_` are guarded by `names_`, held for a few instructions, so that questions don't wait for a
//   dlopen. It is one for all engines, and held across fork. A generation is published under it, and `paused_` set:
//   once pause() has returned, none is published but by reload().
// - The event queue is guarded by `events_`; it is never held while an observer runs, nor is `work_`.
// - `current_`: see pin.hpp. `deadline_`, `number_`, `paused_`, `closing_` and `waiting_` are single values that stand
//   alone; the default order is for simplicity, none is on a call's path.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <autoreload/engine.hpp>

#include "reload/generation.hpp"
#include "reload/loop_descriptor.hpp"
#include "reload/retire/retire.hpp"
#include "reload/snapshot/snapshot.hpp"
#include "reload/watch/watch.hpp"
#include "system/unique_fd.hpp"

namespace autoreload {
class service;
}

namespace autoreload::detail {

class engine_core : public std::enable_shared_from_this<engine_core> {
 public:
  using clock = std::chrono::steady_clock;
  using time_point = clock::time_point;
  static constexpr time_point never = time_point::max();

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
  result<bool> reload();
  void pause();
  void resume();
  [[nodiscard]] int readable() const noexcept { return loop_.get(); }
  [[nodiscard]] std::uint64_t number() const noexcept { return number_; }
  [[nodiscard]] std::uint64_t number_of(const void* table) const;
  [[nodiscard]] std::optional<error> failure() const;
  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  /// Whether this process is a fork of the one that made the engine.
  [[nodiscard]] bool forked() const noexcept;
  [[nodiscard]] watch_mode watching() const noexcept { return polling_ ? watch_mode::polling : watch_mode::inotify; }

 private:
  class work_lock;
  static std::mutex& names_mutex();

  // drive (engine.cpp)
  void let_go_of_all();
  void leave_to_who_works();
  void start_watching();
  void renew_descriptors();
  void watch_again();
  void fall_back_to_polling(const error& reason);
  [[nodiscard]] bool is_due(time_point now);
  void look();
  [[nodiscard]] bool leads_elsewhere();
  void tidy();
  void set_deadline();
  void emit(event happened);
  void deliver();
  void report(const std::vector<retirement>& retired);

  // the stages as one function, and what ends it early (pipeline.cpp)
  enum class outcome : std::uint8_t { published, unchanged, waiting, refused };
  void give_up_trial() noexcept;
  outcome run_pipeline(bool forced);
  outcome wait_for(error reason);
  outcome refuse(error reason);
  outcome refuse_unremembered(error reason);
  outcome refuse_for_now(error reason);
  void out_of_memory() noexcept;
  void stop_waiting() noexcept;
  void try_again(const std::optional<file_identity>& before, const std::optional<file_identity>& seen);
  void warn(std::uint64_t number, const std::string& text);
  void sweep();

  const loader api_;
  const std::string path_;
  const std::string file_;  // the same from the root: the host may change its working directory
  const options options_;
  std::atomic<const void*>* current_;          // null once closed
  std::atomic<const void*> nobodys_{nullptr};  // what current_ points to when the owner is gone before the work is done
  std::atomic<bool> left_{false};
  const pid_t process_;
  const unique_fd cancel_;  // an eventfd that ends a trial load, if there are any

  std::mutex work_;
  std::atomic<int> waiting_{0};            // threads that wait for work_
  std::atomic<std::thread::id> worker_{};  // who holds work_
  std::shared_ptr<watch_hub> own_hub_;     // manual drive
  std::optional<watch> watch_;
  snapshotter snapshotter_;
  generations running_;  // one, or none
  retirer retired_;
  std::optional<file_identity> looked_at_;     // what the last verdict was about; empty: look whenever asked
  std::vector<std::string> dependency_paths_;  // of the last inspected build: watched like the library
  std::vector<std::string> watched_;           // those that are watched by now
  std::uint64_t dependency_state_ = 0;         // of those, as the running generation found them; 0 also if in doubt
  std::optional<std::uint64_t> refused_;       // digest of the last refused content, so that it is refused once
  std::optional<error> refusal_;               // and why
  std::vector<std::string> warned_;
  std::optional<error> awaited_;  // why there is nothing to load, not yet reported
  std::string said_;              // the last reported reason to wait
  std::optional<file_identity> busy_with_;
  writer_patience patience_;
  std::chrono::milliseconds busy_pause_{0};
  time_point woken_{};
  time_point look_at_ = never;   // another look without an event
  time_point say_at_ = never;    // time to report awaited_
  time_point sweep_at_ = never;  // another attempt to unload
  std::chrono::milliseconds sweep_pause_{0};
  time_point poll_at_ = never;  // polling's next look
  bool first_look_ = true;
  bool untidy_ = false;  // what nobody waits for is still to be done

  std::atomic<clock::rep> deadline_{never.time_since_epoch().count()};
  std::atomic<std::uint64_t> number_{0};
  std::atomic<bool> paused_{false};
  std::atomic<bool> closing_{false};
  std::atomic<bool> polling_{false};

  std::mutex& names_ = names_mutex();
  std::vector<std::pair<const void*, std::uint64_t>> tables_;
  std::optional<error> failure_;

  std::mutex events_;
  std::condition_variable delivered_;
  std::deque<event> queue_;
  std::thread::id deliverer_{};
  bool closed_ = false;

  loop_descriptor loop_;  // manual drive: of the hub and a timer
  std::shared_ptr<service> service_;
};

}  // namespace autoreload::detail
