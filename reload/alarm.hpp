// SPDX-License-Identifier: MIT
// alarm: manual drive's descriptor, readable when poll() has something to do: at a time, or when another one is
// readable.
#pragma once

#include <sys/epoll.h>
#include <sys/timerfd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <string>
#include <system_error>

#include <autoreload/error.hpp>

#include "reload/memory.hpp"
#include "system/unique_fd.hpp"

namespace autoreload {

class alarm_clock {
 public:
  /// Until then there is no descriptor, and nothing is ever due.
  result<void> open() {
    epoll_ = unique_fd(epoll_create1(EPOLL_CLOEXEC));
    timer_ = unique_fd(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
    if (epoll_ && timer_) return add(timer_.get());
    return error(stage::use, {}, "no descriptor for the event loop").system(std::generic_category().message(errno));
  }
  /// From now on readable when this descriptor is.
  result<void> add(int descriptor) {
    epoll_event interest{EPOLLIN, {}};
    if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, descriptor, &interest) == 0) return {};
    return error(stage::use, {}, "descriptor() can't tell of all events")
        .system(std::generic_category().message(errno))
        .advise("raise fs.epoll.max_user_watches, or watch by polling");
  }
  /// Readable from then on. `never`: not because of the time.
  void set(time_point then) {
    if (!timer_) return;
    itimerspec when{};
    if (then != never) {
      const auto since = std::max(then.time_since_epoch(), time_point::duration{1});
      const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(since);
      when.it_value = {seconds.count(), std::chrono::nanoseconds(since - seconds).count()};
    }
    timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &when, nullptr);
  }
  [[nodiscard]] int descriptor() const noexcept { return epoll_.get(); }

 private:
  unique_fd epoll_;
  unique_fd timer_;
};

}  // namespace autoreload
