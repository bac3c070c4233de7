// SPDX-License-Identifier: MIT
// service: the one thread that drives all background engines of the process.
//
// dlopen holds the loader's lock while constructors run, so a thread for each library would wait for the others anyway;
// and the kernel grants a user about 128 inotify instances, while this needs one.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "reload/engine_core.hpp"
#include "reload/watch/watch.hpp"
#include "system/unique_fd.hpp"

namespace autoreload {

class service {
 public:
  /// The process's service, started with its first engine and stopped with its last. @throws error of stage use when no
  /// thread can be made
  [[nodiscard]] static std::shared_ptr<service> get();

  service();
  ~service();
  service(const service&) = delete;
  service& operator=(const service&) = delete;

  /// Null when the system grants no inotify instance: the engines poll.
  [[nodiscard]] const std::shared_ptr<watch_hub>& hub() const noexcept { return state_->hub; }

  void add(std::shared_ptr<detail::engine_core> engine);
  void remove(const detail::engine_core* engine);
  /// Makes the thread look at every engine again.
  void wake() noexcept { state_->wake_up(); }

 private:
  // Shared with the thread, which may outlive the service: an observer can destroy the last engine on it.
  struct state {
    std::shared_ptr<watch_hub> hub;
    unique_fd wake;
    std::mutex mutex;
    std::vector<std::shared_ptr<detail::engine_core>> engines;  // guarded by mutex
    std::atomic<bool> list_changed{false};                      // engines differs from the thread's copy
    std::atomic<bool> stop{false};

    void wake_up() noexcept;
    void run();
  };

  std::shared_ptr<state> state_;
  std::thread thread_;
};

}  // namespace autoreload
