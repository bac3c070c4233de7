// SPDX-License-Identifier: MIT
// handover_series: reloads with a handover that hands nothing over, and how long it held a caller up; and how long the
// same caller's first call of the new build takes without one. On few processors the engine's thread takes the caller's
// away from it, with a handover or without.
#pragma once

#include <memory>
#include <vector>

#include "engine_series.hpp"
#include "waiting_caller.hpp"

namespace bench {

/// One thread that never stops calling while the engine's replaces the library.
class handover_series final : public series {
 public:
  enum class measured { total, waited, without };

  explicit handover_series(measured what) : what_(what) {
    if (what != measured::without) callee_.library().on_handover([](const callee_api&, const callee_api&) {});
  }

  sample measure() override {
    const auto number = static_cast<std::int32_t>(++count_ % builds_.size());
    // The reload may be over before the writer goes on: only another thread is sure to call in the midst of it.
    if (what_ != measured::total) caller_.begin();
    const auto start = deliver(arrival::renamed, callee_.path(), staging_, builds_[static_cast<std::size_t>(number)]);
    if (what_ == measured::total) {
      const auto end = callee_.call_until(number);
      return {end - start, callee_.settle(), {}};
    }
    const autoreload::timings times = callee_.settle();
    return {caller_.end(), times, {}};
  }

 private:
  const measured what_;
  std::vector<bytes> builds_ = read_builds();
  std::size_t count_ = 0;
  directory staging_{place_of(arrival::renamed)};
  watched_callee<autoreload::symbols::backend> callee_{place_of(arrival::renamed), autoreload::watch_mode::inotify,
                                                       autoreload::drive_mode::background};
  waiting_caller caller_{[this] { return callee_.library()->build(); }};  // gone before the library
};

}  // namespace bench
