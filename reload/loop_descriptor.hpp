// SPDX-License-Identifier: MIT
// loop_descriptor: the one descriptor that a host's event loop waits for in manual drive.
#pragma once

#include <chrono>

#include "system/unique_fd.hpp"

namespace autoreload {

/// An epoll instance of a timer and, if there is one, of an inotify instance. Not thread-safe, but for get().
class loop_descriptor {
 public:
  /// Makes both. @return whether there were descriptors for them; errno says why not
  [[nodiscard]] bool open();
  /// Adds what else makes it readable. @return whether that was possible; errno says why not
  [[nodiscard]] bool add(int source);

  /// Makes anew what somebody has closed, under the same number if that is free. What was added has to be added again.
  /// @return whether anything was made. False, too, when there are no descriptors: then the next call tries again
  [[nodiscard]] bool renew_if_closed();

  /// When it becomes readable by itself; max() for never.
  void set(std::chrono::steady_clock::time_point when);

  [[nodiscard]] int get() const noexcept { return epoll_.get(); }
  [[nodiscard]] explicit operator bool() const noexcept { return static_cast<bool>(epoll_); }

 private:
  bool open_as(int number);

  unique_fd epoll_;
  unique_fd timer_;
};

}  // namespace autoreload
