// SPDX-License-Identifier: MIT
// loop_descriptor: the one descriptor that a host's event loop waits for in manual drive.
#include "reload/loop_descriptor.hpp"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>

#include <algorithm>

namespace autoreload {

bool loop_descriptor::open() { return open_as(-1); }

bool loop_descriptor::open_as(int number) {
  epoll_ = unique_fd(epoll_create1(EPOLL_CLOEXEC));
  if (epoll_ && number >= 0 && get() != number) {
    // F_DUPFD gives that number or a higher one, and takes nobody's place.
    unique_fd same(fcntl(get(), F_DUPFD_CLOEXEC, number));
    if (same.get() == number) epoll_ = std::move(same);
  }
  timer_ = unique_fd(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  return epoll_ && timer_ && add(timer_.get());
}

bool loop_descriptor::add(int source) {
  epoll_event interest{EPOLLIN, {}};
  return epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, source, &interest) == 0;
}

bool loop_descriptor::renew_if_closed() {
  if (!epoll_ || (epoll_.still_ours() && timer_.still_ours())) return false;
  if (epoll_.still_ours()) {
    timer_ = unique_fd(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
    return timer_ && add(timer_.get());
  }
  loop_descriptor made;
  if (!made.open_as(get())) return false;  // the host's loop knows the number
  *this = std::move(made);
  return true;
}

void loop_descriptor::set(std::chrono::steady_clock::time_point when) {
  if (!timer_.still_ours()) return;  // renew_if_closed() comes with the next poll()
  itimerspec at{};
  if (when != std::chrono::steady_clock::time_point::max()) {
    using duration = std::chrono::steady_clock::duration;
    const auto since = std::max(when.time_since_epoch(), duration{1});
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(since);
    at.it_value = {seconds.count(), std::chrono::nanoseconds(since - seconds).count()};
  }
  timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &at, nullptr);
}

}  // namespace autoreload
