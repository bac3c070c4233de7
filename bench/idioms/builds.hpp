// SPDX-License-Identifier: MIT
// builds: the callee as a program finds it: its API struct, a bare loader, and a directory in which new builds arrive.
#pragma once

#include <dlfcn.h>

#include <autoreload/autoreload.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "../harness/directory.hpp"
#include "callee.h"
#include "callee_paths.hpp"

namespace bench {

struct callee_api {
  autoreload::required<::callee_step> step;
  autoreload::required<::callee_build> build;
  autoreload::optional<::callee_present> present;
  autoreload::optional<::callee_absent> absent;
};

using step_function = std::int32_t (*)(std::int32_t);

/// One build, loaded by dlopen and closed by its destructor: what a program without this project would hold.
struct loaded_build {
  explicit loaded_build(std::size_t number)
      : handle(dlopen(callee_builds[number % callee_builds.size()], RTLD_NOW | RTLD_LOCAL)),
        step(handle == nullptr ? nullptr : reinterpret_cast<step_function>(dlsym(handle, "callee_step"))) {
    if (step == nullptr) throw std::runtime_error(dlerror());
  }
  loaded_build(const loaded_build&) = delete;
  loaded_build& operator=(const loaded_build&) = delete;
  ~loaded_build() { dlclose(handle); }

  void* handle;
  step_function step;
};

[[nodiscard]] inline std::vector<bytes> read_builds() {
  std::vector<bytes> builds;
  for (const char* const path : callee_builds) builds.push_back(read_file(path));
  return builds;
}

/// A directory with the callee in it, which the engine watches and its owner drives.
template <class Backend = autoreload::symbols::backend>
class reloaded_callee {
 public:
  using library = autoreload::reloadable<callee_api, Backend>;

  /// @param frames  whether it is called through frame()
  explicit reloaded_callee(bool frames = false) : frames_(frames) {
    if (!library_.loaded()) throw std::runtime_error(library_.last_failure()->what());
  }

  [[nodiscard]] const library& get() const noexcept { return library_; }
  void poll() { library_.poll(); }

  /// Delivers the next build, loads it, and unloads the one before.
  void replace() {
    const std::uint64_t before = library_.generation();
    delivery(path_, staging_, builds_[before % builds_.size()]).complete();
    while (library_.generation() == before || unloaded_ < before) library_.poll();
  }

 private:
  autoreload::options drive() {
    write_file(path_, builds_[0]);
    autoreload::options chosen;
    chosen.drive = autoreload::drive_mode::manual;
    chosen.frames = frames_;
    chosen.observer = [this](const autoreload::event& happened) {
      if (happened.kind == autoreload::event_kind::unloaded) ++unloaded_;
    };
    return chosen;
  }

  bool frames_;
  directory directory_{directory::on::memory};
  directory staging_{directory::on::memory};
  std::string path_ = directory_ / "libcallee.so";
  std::vector<bytes> builds_ = read_builds();
  std::uint64_t unloaded_ = 0;
  library library_{path_, drive()};
};

}  // namespace bench
