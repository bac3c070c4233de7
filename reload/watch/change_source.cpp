// SPDX-License-Identifier: MIT
// change_source: inotify, and the choice between it and polling.
#include "reload/watch/change_source.hpp"

#include <new>
#include <optional>
#include <utility>

#include "reload/watch/blind_spots.hpp"

namespace autoreload {
namespace {

class inotify_source final : public change_source {
 public:
  inotify_source(const watch_order& wanted, std::shared_ptr<watch_hub> hub)
      : file_(wanted.file),
        warn_(wanted.warn),
        hub_(std::move(hub)),
        watch_(hub_, wanted.mode == watch_mode::automatic) {}

  result<bool> arm(const std::vector<std::string>& needed) override {
    if (!watch_.take_moved() && armed_for_ == needed) return false;
    try {
      std::vector<std::string> paths = needed;
      paths.push_back(file_);
      armed_for_ = needed;
      result<bool> armed = watch_.arm(paths);
      if (!armed) watch_.mark_moved();  // the next call tries again
      return armed;
    } catch (const std::bad_alloc&) {
      watch_.mark_moved();
      throw;
    }
  }
  bool take(time_point, const memory&) override {
    if (watch_.take_renewed()) warn_(descriptors_closed);
    return watch_.take_changed();
  }
  [[nodiscard]] bool pending() const noexcept override { return watch_.has_changed(); }
  [[nodiscard]] bool drain(bool lost) override {
    if (hub_->drain()) return true;
    if (lost) hub_->tell_renewed();
    return false;
  }
  [[nodiscard]] int readable() const override { return hub_->readable(); }
  [[nodiscard]] std::optional<std::uint64_t> way() override { return watch_.way(); }
  void doubt_way() override { watch_.doubt_way(); }
  [[nodiscard]] watch_mode mode() const noexcept override { return watch_mode::inotify; }
  void stop() noexcept override { watch_.detach(); }

 private:
  const std::string file_;
  const std::function<void(const std::string&)> warn_;
  const std::shared_ptr<watch_hub> hub_;
  watch watch_;
  std::optional<std::vector<std::string>> armed_for_;
};

}  // namespace

std::unique_ptr<change_source> make_change_source(watch_order wanted) {
  const bool polls =
      wanted.mode == watch_mode::polling || (wanted.mode == watch_mode::automatic && needs_polling(wanted.file));
  if (!polls) {
    result<std::shared_ptr<watch_hub>> hub = wanted.hub();
    if (hub) {
      auto inotify = std::make_unique<inotify_source>(wanted, *std::move(hub));
      return or_polling(std::move(wanted), std::move(inotify));
    }
    wanted.warn(polls_instead(wanted, watch_mode::inotify) + ": " + hub.error().what());
  }
  return make_polling(wanted);
}

}  // namespace autoreload
