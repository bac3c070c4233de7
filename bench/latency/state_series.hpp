// SPDX-License-Identifier: MIT
// state_series: reloads with the carrier of state, by what the library remembers: how long they take, and how long a
// caller waited.
#pragma once

#include <autoreload/automatic_state.hpp>
#include <memory>
#include <optional>
#include <vector>

#include "engine_series.hpp"
#include "stateful.h"
#include "stateful_paths.hpp"
#include "waiting_caller.hpp"

namespace bench {

struct stateful_api {
  autoreload::required<::stateful_build> build;
  autoreload::required<::stateful_fill> fill;
  autoreload::required<::stateful_sum> sum;
};

/// What the library remembers: an index of stateful_builds.
enum class remembered : std::size_t { nothing, variables, megabytes, objects };

/// One thread that never stops calling while the engine's replaces the library. What is remembered is looked at after
/// each reload.
class state_series final : public series {
 public:
  enum class measured { total, waited };

  state_series(remembered what, measured of) : of_(of) {
    for (const char* const build : stateful_builds[static_cast<std::size_t>(what)]) builds_.push_back(read_file(build));
    write_file(path_, builds_[0]);
    autoreload::options chosen;
    chosen.observer = events_.observer();
    chosen.state = autoreload::automatic_state();
    library_.emplace(path_, std::move(chosen));
    if (!library_->loaded()) throw std::runtime_error(library_->last_failure()->what());
    (*library_)->fill(1);
    sum_ = (*library_)->sum();
    (void)next(autoreload::event_kind::loaded);
    caller_.emplace([this] { return (*library_)->build(); });
  }

  sample measure() override {
    const std::size_t number = ++count_ % builds_.size();
    caller_->begin();
    const auto start = deliver(arrival::renamed, path_, staging_, builds_[number]);
    const autoreload::timings times = next(autoreload::event_kind::loaded).times;
    const auto end = steady::now();
    const steady::duration waited = caller_->end();
    (void)next(autoreload::event_kind::unloaded);
    if ((*library_)->build() != static_cast<int>(number)) throw std::runtime_error("another build runs");
    if ((*library_)->sum() != sum_) throw std::runtime_error("the library remembers something else");
    return {of_ == measured::total ? end - start : waited, times, {}};
  }

 private:
  autoreload::event next(autoreload::event_kind kind) {
    if (auto found = events_.next(kind, patience)) return *std::move(found);
    const auto failure = library_->last_failure();
    throw std::runtime_error(failure ? failure->what() : "the engine never loaded the build");
  }

  const measured of_;
  std::vector<bytes> builds_;
  std::size_t count_ = 0;
  long sum_ = 0;
  directory staging_{directory::on::memory};
  directory directory_{directory::on::memory};
  std::string path_ = directory_ / "libstateful.so";
  autoreload::event_queue events_;
  std::optional<autoreload::reloadable<stateful_api>> library_;
  std::optional<waiting_caller> caller_;  // gone before the library
};

}  // namespace bench
