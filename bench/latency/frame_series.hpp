// SPDX-License-Identifier: MIT
// frame_series: how late a frame is because of a reload: the longest poll() of a loop of frames in which one happens.
#pragma once

#include <algorithm>
#include <stdexcept>
#include <thread>

#include "engine_series.hpp"

namespace bench {

class frame_series final : public series {
 public:
  /// @param budget  of each poll(); nanoseconds::max(): none
  explicit frame_series(std::chrono::nanoseconds budget) : budget_(budget) {}

  // From the finished file until 60 frames after the first that called the new build.
  sample measure() override {
    const auto number = static_cast<std::int32_t>(++count_ % builds_.size());
    (void)deliver(arrival::renamed, callee_.path(), staging_, builds_[static_cast<std::size_t>(number)]);
    auto& library = callee_.library();
    const auto limit = steady::now() + patience;
    const std::uint64_t before = library.generation();
    steady::duration longest{};
    for (int frames = 0; frames < 60;) {
      if (steady::now() > limit) throw std::runtime_error("the engine never loaded the build");
      const auto start = steady::now();
      library.poll(budget_);
      const auto took = steady::now() - start;
      longest = std::max(longest, took);
      const bool loaded = library.generation() != before;
      if (loaded && library.frame().build() != number) throw std::runtime_error("another build answered");
      frames += loaded;
      std::this_thread::sleep_for(std::chrono::microseconds(200));
    }
    (void)callee_.settle();  // the old generation is gone by now
    return {longest, {}, {}};
  }

 private:
  std::vector<bytes> builds_ = read_builds();
  std::size_t count_ = 0;
  std::chrono::nanoseconds budget_;
  directory staging_{directory::on::memory};
  watched_callee<autoreload::symbols::backend> callee_{directory::on::memory, autoreload::watch_mode::inotify,
                                                       autoreload::drive_mode::manual};
};

}  // namespace bench
