// SPDX-License-Identifier: MIT
// live_library: a library that runs while it is edited: watched, built, loaded, and asked again at each new build.
#pragma once

#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "builder.hpp"
#include "fresh_library.hpp"
#include "options.hpp"
#include "run_state.hpp"
#include "worker.hpp"

namespace autoreload::command {

/// Is told what happens, in order. All is in the run_state, too.
class run_observer {
 public:
  run_observer() = default;
  run_observer(const run_observer&) = delete;
  run_observer& operator=(const run_observer&) = delete;
  virtual ~run_observer() = default;
  virtual void loaded(const run_state& /*now*/) {}
  /// An expression was evaluated. @param is_new  for the first time in this generation
  virtual void answered(const watched_call& /*call*/, const reply& /*came*/, bool /*is_new*/) {}
  /// What takes time begins. The next event may be long in coming.
  virtual void busy(const run_state& /*now*/) {}
  virtual void failed(const std::string& /*text*/) {}
  virtual void noted(const std::string& /*text*/) {}
  /// By the library, if its output is caught.
  virtual void printed(std::string_view /*bytes*/) {}
};

struct live_options {
  const run_options& run;
  bool all_types = false;     ///< and not only those that the expressions name
  bool catch_output = false;  ///< what the library prints goes to run_state::output, else to standard error
};

/// Waits for nothing: whoever has it polls descriptors() until due(), and then calls advance(). Thread-safety: one
/// thread at a time, in a process that has one (it forks).
class live_library {
 public:
  using clock = std::chrono::steady_clock;

  /// @param how, to  live as long as this
  [[nodiscard]] static result<live_library> open(const live_options& how, run_observer& to);

  [[nodiscard]] const run_state& state() const { return state_; }
  /// Those to wait for; advance() is worth a call when one is readable.
  [[nodiscard]] std::vector<int> descriptors() const;
  /// And at this time.
  [[nodiscard]] std::optional<clock::time_point> due() const;
  /// Does what is due. Waits only while types are read and after a crash.
  void advance();
  /// Nothing is loaded and nothing evaluated now.
  [[nodiscard]] bool idle() const { return !next_ && !candidate_ && queue_.empty() && !(worker_ && worker_->busy()); }

  /// Builds, whether a source was saved or not. @return why that can't be, or nothing
  std::string rebuild();
  /// Newer builds wait, or don't any more.
  void hold(bool on);
  /// Runs the generation before the one that runs, and holds. @return false when there is none
  bool roll_back();
  /// Starts the generation that runs anew, without its state. @return false when none runs
  bool start_anew();

  /// Evaluates one expression more, once, when what is evaluated now is done. Its answer comes to the observer.
  void ask(const std::string& expression);
  /// Ends the call that is inside the library, and with it the library's process.
  void interrupt();
  /// Of the generation that runs, or null.
  [[nodiscard]] const type_table* types() const { return running_ ? running_->types.get() : nullptr; }
  /// The copy that runs, as dlopen got it; empty when none does.
  [[nodiscard]] std::string load_path() const { return running_ ? running_->image->load_path : std::string(); }
  /// The generation before the one that runs: its copy; empty when there is none.
  [[nodiscard]] std::string path_before() const;

 private:
  struct kept_generation {
    std::uint64_t number = 0;
    std::shared_ptr<const snapshot> image;
    std::shared_ptr<const type_table> types;
    std::vector<local_name> locals{};
    unique_fd copy{};  // a further one of the image, when a process has that already
  };
  struct candidate {
    std::shared_ptr<kept_generation> what;
    worker process;
    bool inherits = false;  // the state of the worker that runs
  };
  struct waiting_start {
    std::shared_ptr<kept_generation> what;
    clock::time_point until;  // then it starts without the state
  };

  live_library(const live_options& how, run_observer& to) : how_(how), options_(how.run), observer_(&to) {}
  result<void> start_building(bool asked);
  void listen();
  void heard(const build_notice& notice);
  void look();
  void take(autoreload::command::look seen);
  void say_why();
  void read_and_start(std::shared_ptr<const snapshot> image);
  // @param fresh_because  without the state of what runs, and what to say of it
  void start(std::shared_ptr<kept_generation> what, const std::optional<std::string>& fresh_because = {});
  void start_next();
  void start_with_state(std::shared_ptr<kept_generation> what);
  void start_fresh(std::shared_ptr<kept_generation> what);
  [[nodiscard]] bool can_carry() const;
  void say_state(const std::string& line);
  [[nodiscard]] bool call_goes_first() const;
  void try_candidate();
  void run(candidate&& loaded, const std::string& carried);
  void evaluate_all(bool is_new);
  void evaluate_next();
  void take_answer();
  void answer(const reply& came);
  void fill_in(watched_call& call, const reply& came, bool is_new);
  void fail(problem wrong);
  void read_output();
  [[nodiscard]] std::optional<std::size_t> running_index() const;

  live_options how_;
  const run_options& options_;
  run_observer* observer_;
  run_state state_;
  std::optional<fresh_library> source_;
  std::optional<builder> building_;
  bool building_asked_ = false;  // --build was said: that it can't be is an error
  unique_fd output_read_;
  unique_fd output_write_;

  std::vector<std::shared_ptr<kept_generation>> kept_;  // the oldest first
  std::shared_ptr<kept_generation> running_;
  std::shared_ptr<const snapshot> waiting_;  // a build that came while it was held
  std::optional<worker> worker_;
  std::optional<candidate> candidate_;
  std::optional<waiting_start> next_;  // a call is inside the worker whose state it gets
  std::string state_said_;

  struct queued {
    std::size_t call;
    bool is_new;
  };
  std::deque<queued> queue_;
  std::optional<queued> asked_;                // the worker is busy with it
  std::map<std::string, std::string> values_;  // of the generation before
  bool again_ = true;
  std::optional<clock::time_point> look_at_;
  std::optional<clock::time_point> every_at_;
  std::optional<clock::time_point> say_at_;
  std::optional<error> why_;  // why there is no new build
  std::string said_;          // its reason, once it was said
  std::optional<std::chrono::system_clock::time_point> saved_at_;
};

}  // namespace autoreload::command
