// SPDX-License-Identifier: MIT
// activate_series: the way back to an older generation, from the request to the first call that it answers.
#pragma once

#include <algorithm>
#include <autoreload/autoreload.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "../idioms/builds.hpp"
#include "arrival.hpp"
#include "series.hpp"

namespace bench {

/// Two builds that take turns. One thread.
class activate_series final : public series {
 public:
  /// @param from  whether the one that does not run is still loaded (kept), or its file's copy is there (stored)
  explicit activate_series(autoreload::generation_state from) : from_(from) {
    const auto first = library_->build();
    (void)deliver(arrival::renamed, path_, staging_, builds_[1]);
    const auto limit = steady::now() + patience;
    while (library_->build() == first) {
      if (steady::now() > limit) throw std::runtime_error("the engine never loaded the build");
      library_.poll();
    }
  }

  sample measure() override {
    const std::uint64_t number = other();
    const auto before = library_->build();
    const auto start = steady::now();
    const autoreload::result<void> done = library_.activate(number);
    const auto answer = library_->build();
    const auto end = steady::now();
    if (!done) throw std::runtime_error(done.error().what());
    if (answer == before) throw std::runtime_error("the generation before still answers");
    return {end - start, {}, {}};
  }

 private:
  autoreload::options chosen() {
    write_file(path_, builds_[0]);
    autoreload::options options;
    options.drive = autoreload::drive_mode::manual;
    options.history.loaded = from_ == autoreload::generation_state::kept ? 1 : 0;
    options.observer = autoreload::silent;
    return options;
  }

  // Which one to go to, once it is in the state that is asked for.
  std::uint64_t other() {
    const auto limit = steady::now() + patience;
    while (steady::now() < limit) {
      const auto all = library_.history();
      const auto found = std::find_if(all.begin(), all.end(), [&](const auto& one) { return one.state == from_; });
      if (found != all.end()) return found->number;
      library_.poll();
    }
    throw std::runtime_error("there is no other generation");
  }

  const autoreload::generation_state from_;
  std::vector<bytes> builds_ = read_builds();
  directory directory_{place_of(arrival::renamed)};
  directory staging_{place_of(arrival::renamed)};
  std::string path_ = directory_ / "libcallee.so";
  autoreload::reloadable<callee_api> library_{path_, chosen()};
};

}  // namespace bench
