// SPDX-License-Identifier: MIT
// loaded: a build of a C library in this process, as a generation of the engine's is: from a copy that nobody changes.
#pragma once

#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include <autoreload/automatic_state.hpp>

#include "../guard/in_memory.hpp"
#include "system/unique_fd.hpp"

namespace autoreload_test {

class loaded {
 public:
  explicit loaded(std::string path) : path_(std::move(path)) {
    std::ifstream file(path_, std::ios::binary);
    file_ = in_memory(std::string(std::istreambuf_iterator<char>(file), {}));
    const std::string name = "/proc/" + std::to_string(getpid()) + "/fd/" + std::to_string(file_.get());
    handle_ = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle_ == nullptr) throw std::runtime_error(dlerror());
  }
  loaded(loaded&& other) noexcept
      : path_(std::move(other.path_)), file_(std::move(other.file_)), handle_(std::exchange(other.handle_, nullptr)) {}
  loaded& operator=(loaded&&) = delete;
  ~loaded() {
    if (handle_ != nullptr) dlclose(handle_);
  }

  template <class F>
  [[nodiscard]] F* get(const std::string& name) const {
    return reinterpret_cast<F*>(dlsym(handle_, name.c_str()));
  }
  [[nodiscard]] autoreload::state_side side(std::uint64_t generation) const {
    link_map* map = nullptr;
    dlinfo(handle_, RTLD_DI_LINKMAP, &map);
    return {path_, generation, file_.get(), map->l_addr, handle_};
  }

 private:
  std::string path_;
  autoreload::unique_fd file_;
  void* handle_ = nullptr;
};

/// A carrier that never gives up because the machine is busy.
inline std::shared_ptr<autoreload::state_carrier> patient(autoreload::state_options options = {}) {
  options.time_limit = std::chrono::minutes(1);
  return autoreload::automatic_state(std::move(options));
}

inline autoreload::result<autoreload::state_report> carry(autoreload::state_carrier& by, const loaded& from,
                                                          const loaded& to) {
  auto plan = by.prepare(from.side(1), to.side(2));
  if (!plan) return plan.error();
  return (*plan)->carry();
}

inline std::string text_of(const autoreload::state_remark& r) {
  constexpr const char* fates[] = {"kept", "converted", "reset", "dropped", "dangling"};
  return std::string(fates[static_cast<int>(r.fate)]) + " " + r.variable + ": " + r.text;
}

}  // namespace autoreload_test
