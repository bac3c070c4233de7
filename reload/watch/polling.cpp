// SPDX-License-Identifier: MIT
// polling: asks for the file's identity from time to time, always or while another source fails.
//
// SHARED  the next look and whether it polls, which the worker writes and any thread may read: each stands alone.
#include "reload/watch/change_source.hpp"

#include <sys/stat.h>

#include <atomic>
#include <utility>

#include "reload/dependencies/dependencies.hpp"

namespace autoreload {
namespace {

class polling_source final : public change_source {
 public:
  explicit polling_source(const watch_order& wanted)
      : file_(wanted.file), interval_(wanted.interval), warn_(wanted.warn) {}

  result<bool> arm(const std::vector<std::string>&) override { return false; }
  bool take(time_point now, const memory& known) override {
    if (now < due_.load()) return false;
    rest();
    if (std::exchange(lost_, false)) warn_(descriptors_closed);
    struct stat status {};
    if (stat(file_.c_str(), &status) != 0) return known.looked_at.has_value() || !known.awaited;
    return known.looked_at != file_identity::of(status) || state_of(known.needed) != known.needed_state;
  }
  [[nodiscard]] time_point due() const noexcept override { return due_; }
  [[nodiscard]] bool drain(bool lost) override {
    lost_ = lost_ || lost;
    return false;
  }
  [[nodiscard]] watch_mode mode() const noexcept override { return watch_mode::polling; }
  /// The next look is an interval away.
  void rest() noexcept { due_ = std::chrono::steady_clock::now() + interval_; }

 private:
  const std::string file_;
  const std::chrono::milliseconds interval_;
  const std::function<void(const std::string&)> warn_;
  bool lost_ = false;  // of the driver's descriptors one was closed, which is not said yet
  std::atomic<time_point> due_ = std::chrono::steady_clock::now() + interval_;
};

// A better source; and polling as long as that one can't be armed, which is tried again at each look of polling's.
class fallback_source final : public change_source {
 public:
  fallback_source(watch_order wanted, std::unique_ptr<change_source> better)
      : wanted_(std::move(wanted)), better_(std::move(better)), polling_(wanted_) {}

  result<bool> arm(const std::vector<std::string>& needed) override {
    result<bool> armed = better_->arm(needed);
    if (!armed) {
      polling_.rest();
      if (polls_.exchange(true)) return false;
      wanted_.warn(polls_instead(wanted_, better_->mode()) +
                   ", which is tried again each time: " + armed.error().what());
      return false;
    }
    if (polls_.exchange(false)) {
      wanted_.warn(std::string(to_string(better_->mode())) + " is to be had again: no more polling");
    }
    return armed;
  }
  bool take(time_point now, const memory& known) override {
    if (better_->take(now, known)) return true;
    if (!polls_ || now < polling_.due()) return false;
    const bool changed = polling_.take(now, known);
    const result<bool> armed = arm(known.needed);
    return changed || (armed && *armed);
  }
  [[nodiscard]] bool pending() const noexcept override { return better_->pending(); }
  [[nodiscard]] time_point due() const noexcept override { return polls_ ? polling_.due() : better_->due(); }
  [[nodiscard]] bool drain(bool lost) override { return better_->drain(lost); }
  [[nodiscard]] int readable() const override { return better_->readable(); }
  [[nodiscard]] std::optional<std::uint64_t> way() override { return polls_ ? std::nullopt : better_->way(); }
  void doubt_way() override { better_->doubt_way(); }
  [[nodiscard]] watch_mode mode() const noexcept override { return polls_ ? polling_.mode() : better_->mode(); }
  void stop() noexcept override { better_->stop(); }

 private:
  const watch_order wanted_;
  const std::unique_ptr<change_source> better_;
  polling_source polling_;
  std::atomic<bool> polls_{false};
};

}  // namespace

std::string polls_instead(const watch_order& wanted, watch_mode of) {
  return "polling every " + std::to_string(wanted.interval.count()) + " ms instead of " + std::string(to_string(of));
}

std::unique_ptr<change_source> make_polling(const watch_order& wanted) {
  return std::make_unique<polling_source>(wanted);
}

std::unique_ptr<change_source> or_polling(watch_order wanted, std::unique_ptr<change_source> better) {
  return std::make_unique<fallback_source>(std::move(wanted), std::move(better));
}

}  // namespace autoreload
