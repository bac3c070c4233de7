// SPDX-License-Identifier: MIT
// worker: the rebuilder's thread: waits for saves and for the end of builds, and decides what comes next.
//
// SHARED  - `wake_`, an eventfd, and the flags `stopping_` and `asked_`: set by any thread, then the eventfd is
// written;
//           read by the worker's thread after it was woken. The eventfd orders them; relaxed would do.
//         - `told_`, what the public members answer: guarded by `mutex_`, written by the worker's thread.
//         All else belongs to the worker's thread.
#pragma once

#include <time.h>

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <autoreload/rebuild.hpp>

#include "rebuild/build_tool.hpp"
#include "rebuild/chain.hpp"
#include "rebuild/judge.hpp"
#include "rebuild/link_stub.hpp"
#include "rebuild/runner.hpp"
#include "rebuild/sources.hpp"
#include "reload/watch/watch.hpp"
#include "system/unique_fd.hpp"

namespace autoreload {

class [[gnu::visibility("hidden")]] rebuilder::worker {
 public:
  worker(std::string library, rebuild_options options);
  ~worker();

  void ask();
  [[nodiscard]] std::string command() const;
  [[nodiscard]] std::vector<std::string> sources() const;

 private:
  void run();
  void work();
  void wait();
  void look_at_sources();
  bool reconfigures() const;
  void start();
  void check_limits();
  void finish(const building::ending& ended);
  bool have_runner();
  void find_tool();
  // Chains: see quick.cpp.
  enum class way { tool, follow_up, direct, stand_in };
  bool wants_chains() const;
  void learn_chains(building::tool_finder & ask);
  void choose_way();
  building::command quick_command() const;
  std::string place_in_the_chain() const;
  bool after_the_end(const building::ending& ended, rebuild_event& event);
  void refresh();
  void arm();
  std::vector<std::string> places_of_tools() const;
  std::string marks_of_tools() const;
  void tell(rebuild_event happened);
  void tell_failure(error failure);
  void wake() const;

  const std::string named_;    // the library, as the user named it
  const std::string library_;  // absolute
  const rebuild_options options_;
  std::vector<std::string> environment_;

  std::optional<building::runner> runner_;
  std::optional<building::build_tool> tool_;
  std::shared_ptr<watch_hub> hub_;
  std::unique_ptr<watch> watch_;
  bool polling_ = false;

  building::source_states sources_;
  building::source_states built_library_;
  std::vector<std::string> line_files_;
  building::tool_inputs inputs_;
  std::vector<std::string> watched_;
  std::vector<std::string> configuration_;  // those of them that the tool's own files are made from

  struct learned {
    building::chain direct;
    std::optional<building::chain> stand_in;  // for a while, until the tool's own library is there
  };
  std::optional<std::vector<building::link_stub>> stubs_;  // what the library was bound to by the tool
  std::optional<std::vector<std::string>> stub_files_;
  std::map<std::string, std::optional<learned>> chains_;  // by the source; nothing: there is none
  std::set<std::string> unsynced_;                        // saved since the tool was last done
  bool synced_ = false;                                   // the tool was done once
  bool follow_up_due_ = false;                            // the tool has to catch up with a chain
  bool tool_only_ = false;                                // the next build is the tool's
  bool stands_in_ = false;                                // what is there now was made by a chain's stand-in
  way way_ = way::tool;                                   // of the build that runs, or ran last

  bool searched_ = false;          // for a tool, once
  std::string tool_marks_;         // how the places looked where one is searched
  bool ready_ = false;             // it was told
  bool refresh_due_ = true;        // the list of sources may be another
  int refreshes_interrupted_ = 0;  // in a row
  std::string last_trouble_;       // told last: not to be told again and again

  bool due_ = false;  // a build is to start
  std::vector<std::string> due_files_;
  building::clock::time_point noticed_;
  std::uint64_t build_ = 0;
  std::vector<std::string> building_files_;
  std::chrono::nanoseconds notice_time_{};
  building::clock::time_point deadline_;
  building::cut cut_ = building::cut::none;
  timespec build_started_{};  // CLOCK_REALTIME, as the times of files
  timespec build_ended_{};

  unique_fd wake_;
  std::atomic<bool> stopping_{false};
  std::atomic<bool> asked_{false};
  mutable std::mutex mutex_;
  struct {
    std::string command;
    std::vector<std::string> sources;
  } told_;
  std::thread thread_;
};

}  // namespace autoreload
