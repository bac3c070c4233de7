// SPDX-License-Identifier: MIT
// service: the one thread that drives all background engines of the process.
//
// dlopen holds the loader's lock while constructors run, so a thread for each library would wait for the others anyway;
// and the kernel grants a user about 128 inotify instances, while this needs one.
#pragma once

#include <signal.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "reload/drive/driver.hpp"
#include "system/unique_fd.hpp"

namespace autoreload {

class service final : public driver {
 public:
  /// The process's service, started with its first engine and stopped with its last. @throws error of stage use when no
  /// thread can be made
  [[nodiscard]] static std::shared_ptr<service> get();

  service();
  ~service() override;
  service(const service&) = delete;
  service& operator=(const service&) = delete;

  /// An error when the system grants no inotify instance: the engines poll.
  result<std::shared_ptr<watch_hub>> hub(const std::string& path) override {
    if (hub_ != nullptr) return hub_;
    return error(*no_hub_).rename(path);
  }
  void add(const std::shared_ptr<detail::engine_core>& engine) override;
  void remove(const detail::engine_core* engine) override;
  /// Makes the thread look at every engine again.
  void wake() noexcept override;
  void ring() noexcept override { wake(); }

 private:
  struct served {
    std::shared_ptr<detail::engine_core> engine;
    sigset_t mask;  // of the thread that constructed it
  };
  // Shared with the thread, which may outlive the service: an observer can destroy the last engine on it.
  struct state {
    std::shared_ptr<watch_hub> hub;
    std::mutex mutex;
    unique_fd wake;                         // guarded by mutex
    std::vector<served> engines;            // guarded by mutex
    std::atomic<bool> list_changed{false};  // engines differs from the thread's copy
    std::atomic<bool> stop{false};

    // Whether there is a descriptor by which the thread can be woken, and it was.
    bool wake_up() noexcept;
    // The thread's own look before it sleeps. @return whether something had to be made anew
    bool renew_if_closed();
    void run();
    void wait(std::chrono::steady_clock::time_point until);
  };
  void start();
  void replace_thread() noexcept;

  std::shared_ptr<watch_hub> hub_;
  std::optional<error> no_hub_;  // why there is none
  std::mutex mutex_;             // guards the next two
  std::shared_ptr<state> state_;
  std::thread thread_;
};

}  // namespace autoreload
