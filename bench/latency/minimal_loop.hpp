// SPDX-License-Identifier: MIT
// minimal_loop: the floor under a reload: inotify, dlopen, dlsym and a store, with no check and no old version kept.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "arrival.hpp"

namespace bench {

/// Watches a directory for one name, and loads what appears there.
class minimal_loop {
 public:
  explicit minimal_loop(directory::on where);
  minimal_loop(const minimal_loop&) = delete;
  minimal_loop& operator=(const minimal_loop&) = delete;
  ~minimal_loop();

  /// Blocks until a complete file is there. @return when it woke up
  steady::time_point wait() const;
  /// dlopen and dlsym. @return how long they took
  steady::duration load();
  /// Lets callers have it.
  void publish();
  /// dlclose: between two samples, or the loader would take the new file for the old.
  void unload();

  /// Which build is loaded, or -1. Any thread.
  [[nodiscard]] std::int32_t build() const { return current_.load(std::memory_order_acquire)(); }
  [[nodiscard]] const std::string& path() const noexcept { return path_; }

 private:
  using function = std::int32_t (*)();
  static std::int32_t none() { return -1; }

  directory directory_;
  std::string path_ = directory_ / "libcallee.so";
  int inotify_;
  void* handle_ = nullptr;
  function loaded_ = &none;
  std::atomic<function> current_{&none};
};

/// The loop on a thread of its own, the caller on another: as the engine's background drive.
[[nodiscard]] std::unique_ptr<series> floor_in_background(arrival how);
/// One thread does both: as the engine's manual drive.
[[nodiscard]] std::unique_ptr<series> floor_on_one_thread();
/// From rename to the reader's return from read(2).
[[nodiscard]] std::unique_ptr<series> inotify_wake_up();

}  // namespace bench
