// SPDX-License-Identifier: MIT
// engine_series: reloads by the engine, with each backend, each way of watching and each way of driving.
#pragma once

#include <array>
#include <autoreload/autoreload.hpp>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <vector>

#include "../idioms/builds.hpp"
#include "arrival.hpp"

namespace bench {

/// The callee in a directory, under an engine. Used by one thread.
template <class Backend>
class watched_callee {
 public:
  watched_callee(directory::on where, autoreload::watch_mode watch, autoreload::drive_mode drive)
      : manual_(drive == autoreload::drive_mode::manual), directory_(where), library_(path_, options(watch, drive)) {
    if (!library_.loaded()) throw std::runtime_error(library_.last_failure()->what());
    settle();
  }

  [[nodiscard]] const std::string& path() const noexcept { return path_; }

  /// Calls until build `number` answers. @return the moment after that call
  [[gnu::noinline]] steady::time_point call_until(std::int32_t number) {
    const auto limit = steady::now() + patience;
    while (library_->build() != number) {
      if (steady::now() > limit) give_up();
      if (manual_) library_.poll(std::chrono::milliseconds(1));  // as a frame loop does
    }
    return steady::now();
  }

  /// Waits until the old generation is gone and the engine has nothing left to do. @return the new one's timings
  autoreload::timings settle() {
    const auto is_news = [](const autoreload::event& one) { return one.kind == autoreload::event_kind::loaded; };
    const auto news = next(is_news, "no build was loaded");
    if (news.generation == 1) return news.times;
    // A word that lies about on this thread's stack may look like the old table's address: then it is retained, and
    // leaves after a later reload.
    const auto has_left = [&](const autoreload::event& one) {
      return one.generation + 1 == news.generation &&
             (one.kind == autoreload::event_kind::unloaded || one.kind == autoreload::event_kind::retained);
    };
    (void)next(has_left, "the old build was never unloaded");
    return news.times;
  }

  [[nodiscard]] autoreload::reloadable<callee_api, Backend>& library() noexcept { return library_; }

 private:
  autoreload::options options(autoreload::watch_mode watch, autoreload::drive_mode drive) {
    write_file(path_, read_file(callee_builds[0]));
    autoreload::options chosen;
    chosen.watch = watch;
    chosen.drive = drive;
    chosen.frames = manual_;
    chosen.poll_interval = std::chrono::milliseconds(10);
    chosen.observer = events_.observer();
    return chosen;
  }

  template <class Predicate>
  autoreload::event next(Predicate is_it, const char* otherwise) {
    const auto limit = steady::now() + patience;
    while (steady::now() < limit) {
      if (manual_) library_.poll();
      while (auto found = events_.next(std::chrono::milliseconds(manual_ ? 1 : 1000))) {
        if (is_it(*found)) return *std::move(found);
      }
    }
    give_up(otherwise);
  }

  [[noreturn]] void give_up(const char* of_what = "the engine never loaded the build") {
    const auto failure = library_.last_failure();
    throw std::runtime_error(failure ? failure->what() : of_what);
  }

  const bool manual_;
  directory directory_;
  std::string path_ = directory_ / "libcallee.so";
  autoreload::event_queue events_;
  autoreload::reloadable<callee_api, Backend> library_;
};

/// Overwrites what calls have left on the stack. What waits for the old build's end makes no call, and its frames have
/// holes: an old address in one of them would keep poll() from unloading, as long as they live.
[[gnu::noinline]] inline void overwrite_dead_frames() {
  std::array<std::byte, 16384> dead{};
  asm volatile("" : : "r"(dead.data()) : "memory");
}

template <class Backend>
class engine_series final : public series {
 public:
  engine_series(autoreload::watch_mode watch, autoreload::drive_mode drive, arrival how)
      : how_(how), callee_(place_of(how), watch, drive) {}

  sample measure() override {
    const auto number = static_cast<std::int32_t>(++count_ % builds_.size());
    const auto start = deliver(how_, callee_.path(), staging_, builds_[static_cast<std::size_t>(number)]);
    const auto end = callee_.call_until(number);
    overwrite_dead_frames();
    return {end - start, callee_.settle(), {}};
  }

 private:
  std::vector<bytes> builds_ = read_builds();
  std::size_t count_ = 0;
  arrival how_;
  directory staging_{place_of(how_)};
  watched_callee<Backend> callee_;
};

}  // namespace bench
