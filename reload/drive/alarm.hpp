// SPDX-License-Identifier: MIT
// alarm: manual drive, where the host calls poll(). Its descriptor is readable when that has something to do: at a
// time, or when another one is readable.
//
// A frame loop calls poll() anyway and asks for no descriptor. Until somebody does, nothing is told to it: that would
// take some system calls of each frame.
//
// SHARED  all of it, guarded by a mutex: descriptor() and ring() are called on any thread, the rest on the one that
//         works.
#pragma once

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <mutex>
#include <string>
#include <system_error>
#include <utility>

#include <autoreload/error.hpp>

#include "reload/drive/driver.hpp"
#include "system/unique_fd.hpp"

namespace autoreload {

class alarm_clock final : public driver {
 public:
  /// @throws error of stage use when there is no descriptor
  alarm_clock() {
    open_as(-1).value();
    open_bell().value();
  }
  result<std::shared_ptr<watch_hub>> hub(const std::string&) override {
    auto made = watch_hub::make();
    if (!made) return made;
    const std::lock_guard lock(mutex_);
    const result<void> added = add_readable((*made)->readable());
    return added ? made : added.error();
  }
  [[nodiscard]] bool collect(change_source& source) override {
    bool lost = false;
    {
      const std::lock_guard lock(mutex_);
      rung_ = false;
      if (heard_) lost = renew_if_closed() || lost_;  // first, while its number may be free
      lost_ = false;
      if (lost) tell(then_);
    }
    const bool renewed = source.drain(lost);
    const std::lock_guard lock(mutex_);
    to_add_ = to_add_ || renewed || lost;
    if (!heard_ || lost_) return true;  // lost_: descriptor() has just rung the bell, for the next call
    if (std::exchange(to_add_, false)) (void)add_readable(source.readable());
    hush();
    return true;
  }
  /// `never`: not because of the time.
  void set(time_point then) override {
    const std::lock_guard lock(mutex_);
    then_ = then;
    if (heard_) tell(then);
  }
  /// Readable from now on, until hush().
  void ring() noexcept override {
    const std::lock_guard lock(mutex_);
    if (heard_) {
      (void)rung();
    } else {
      rung_ = true;
    }
  }
  /// Nobody has looked after what is asked for first: it may be closed. Then it is readable at once, so that collect()
  /// comes and adds the rest.
  [[nodiscard]] int descriptor() override {
    const std::lock_guard lock(mutex_);
    if (!std::exchange(heard_, true)) {
      lost_ = renew_if_closed();
      tell(lost_ || to_add_ || rung_ ? time_point{} : then_);
    }
    if (epoll_) number_ = epoll_.get();
    return epoll_.get();
  }

 private:
  // All of these under the mutex, but where the constructor calls them.

  /// Makes anew what somebody has closed, under the same number if that is free. What was added has to be added again.
  /// @return whether anything was made; when there are no descriptors, not, and the next call tries again
  [[nodiscard]] bool renew_if_closed() {
    const bool bell_lost = !bell_.still_ours();
    if (epoll_.still_ours() && timer_.still_ours() && !bell_lost) return false;
    if (!epoll_.still_ours() || !timer_.still_ours()) {
      if (!open_as(epoll_.still_ours() ? -1 : number_)) return false;  // the host's loop knows the number
      if (!bell_lost) (void)add_readable(bell_.get());
    }
    return !bell_lost || open_bell();
  }
  /// From now on readable when this descriptor is.
  result<void> add_readable(int descriptor) {
    epoll_event interest{EPOLLIN, {}};
    if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, descriptor, &interest) == 0) return {};
    return error(stage::use, {}, "descriptor() can't tell of all events")
        .system(std::generic_category().message(errno))
        .advise("raise fs.epoll.max_user_watches, or watch by polling");
  }
  [[nodiscard]] bool rung() noexcept { return bell_.still_ours() && eventfd_write(bell_.get(), 1) == 0; }
  void tell(time_point then) noexcept {
    // At once is the bell's: a timer that is due when it is set costs a virtual machine an interrupt, up to 30 us.
    if ((then == time_point{} && rung()) || !timer_.still_ours()) return;
    itimerspec when{};
    if (then != never) {
      const auto since = std::max(then.time_since_epoch(), time_point::duration{1});
      const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(since);
      when.it_value = {seconds.count(), std::chrono::nanoseconds(since - seconds).count()};
    }
    timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &when, nullptr);
  }
  void hush() noexcept {
    eventfd_t rung = 0;
    if (bell_.still_ours()) eventfd_read(bell_.get(), &rung);
  }
  result<void> open_as(int number) {
    if (!epoll_.still_ours()) epoll_ = unique_fd(epoll_create1(EPOLL_CLOEXEC));
    if (epoll_ && number >= 0 && epoll_.get() != number) {
      // F_DUPFD gives that number or a higher one, and takes nobody's place.
      unique_fd same(fcntl(epoll_.get(), F_DUPFD_CLOEXEC, number));
      if (same.get() == number) epoll_ = std::move(same);
    }
    timer_ = unique_fd(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
    return epoll_ && timer_ ? add_readable(timer_.get()) : no_descriptor();
  }
  result<void> open_bell() {
    bell_ = unique_fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    return bell_ ? add_readable(bell_.get()) : no_descriptor();
  }
  static error no_descriptor() {
    return error(stage::use, {}, "no descriptor for the event loop").system(std::generic_category().message(errno));
  }

  std::mutex mutex_;  // of what follows
  unique_fd epoll_;
  unique_fd timer_;
  unique_fd bell_;
  int number_ = -1;          // of epoll_, as the host knows it
  bool heard_ = false;       // the descriptor was asked for
  time_point then_ = never;  // what set() said last
  bool rung_ = false;        // ring() was called, and nobody had asked for the descriptor
  bool lost_ = false;        // descriptor() had to make something anew
  bool to_add_ = false;      // the source's descriptor is another one, or the epoll is
};

}  // namespace autoreload
