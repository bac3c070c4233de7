// SPDX-License-Identifier: MIT
// automatic_state: has both builds described, then hands them to a plan.
//
// Shared between threads: what is remembered of each library's latest build, guarded by one mutex, which is never held
// while a file is read; what it hands out is immutable.
#include <autoreload/automatic_state.hpp>

#include <bit>
#include <map>
#include <mutex>
#include <optional>
#include <utility>

#include "state/plan.hpp"
#include "types/debug_input.hpp"
#include "types/helper_place.hpp"
#include "types/helper_process.hpp"
#include "types/snapshot_id.hpp"

namespace autoreload {

namespace {

using clock = std::chrono::steady_clock;
using types::id_of;
using types::snapshot_id;
using shared_description = std::shared_ptr<const types::description>;

class automatic final : public state_carrier {
 public:
  explicit automatic(state_options options) : options_(std::move(options)) {}

  result<std::unique_ptr<state_plan>> prepare(const state_side& from, const state_side& to) override {
    const std::string path(to.path);
    if constexpr (std::endian::native != std::endian::little || sizeof(void*) != 8) {
      return cannot(path, "variables are carried on little-endian machines of 64 bits only");
    }
    std::string why;
    state::side was{
        .types = recall(path, from.file), .file = state::image::open(from.file), .base = from.base, .shared = {}};
    state::side is{.types = nullptr, .file = state::image::open(to.file), .base = to.base, .shared = {}};
    is.shared.assign(to.shared.begin(), to.shared.end());
    if (!was.file || !is.file) return cannot(path, "a build's file can't be read");
    if (!was.types) was.types = describe(from, why);
    if (!was.types) return cannot(path, "the running build: " + why);
    is.types = describe(to, why);
    if (!is.types) return cannot(path, "the new build: " + why);
    remember(path, from.file, was.types, to.file, is.types);
    return std::unique_ptr<state_plan>(
        std::make_unique<state::plan>(path, std::move(was), std::move(is), options_, said_));
  }

 private:
  static error cannot(const std::string& path, const std::string& why) {
    return error(stage::handover, path, "its variables can't be carried over: " + why)
        .advise("build it with -g, or reload it with a fresh start: then its variables start anew");
  }

  shared_description describe(const state_side& of, std::string& why) const {
    const types::debug_input input = types::find_debug_input(of.file, of.path, options_.debug_roots);
    if (!input.any) {
      why = "it has no debug information (-g)";
      return nullptr;
    }
    types::request ask = types::within(options_.time_limit);
    ask.path = of.path;
    ask.variables = true;
    types::helper_process reader(options_.helper, std::move(ask), of.file, input.separate.get(),
                                 options_.orphan_helper);
    std::optional<types::description> answer = reader.collect(clock::now() + options_.time_limit);
    if (!answer) {
      why = "its debug information was not read: " + reader.why();
      return nullptr;
    }
    if (!answer->problems.empty()) {
      why = answer->problems.front();
      return nullptr;
    }
    state::distrust_impossible(*answer);
    return std::make_shared<const types::description>(std::move(*answer));
  }

  // The running build was the new one of an earlier handover, unless there was none.
  shared_description recall(const std::string& path, int file) {
    const snapshot_id id = id_of(file);
    const std::lock_guard lock(mutex_);
    for (const auto& [known, what] : builds_[path]) {
      if (known == id) return what;
    }
    return nullptr;
  }

  void remember(const std::string& path, int was, const shared_description& before, int is,
                const shared_description& now) {
    const std::lock_guard lock(mutex_);
    builds_[path] = {{id_of(was), before}, {id_of(is), now}};
  }

  const state_options options_;
  state::said_once said_;
  std::mutex mutex_;
  std::map<std::string, std::vector<std::pair<snapshot_id, shared_description>>> builds_;
};

}  // namespace

std::string detail::state_helper(const char* said_by_build, const char* header) {
  return types::helper_place(said_by_build, header);
}

std::shared_ptr<state_carrier> automatic_state(state_options options) {
  return std::make_shared<automatic>(std::move(options));
}

}  // namespace autoreload
