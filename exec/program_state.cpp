// SPDX-License-Identifier: MIT
// program_state: a carrier around another one.
#include "exec/program_state.hpp"

#include <dlfcn.h>
#include <link.h>

#include <optional>
#include <utility>

#include <autoreload/holders.hpp>

#include "exec/loose_pointers.hpp"

namespace autoreload::exec {
namespace {

// Where a library lies; nothing if the loader does not know it.
std::optional<held_image> image_of(void* handle) {
  link_map* map = nullptr;
  if (handle == nullptr || dlinfo(handle, RTLD_DI_LINKMAP, &map) != 0) return std::nullopt;
  return image_at(map->l_ld);
}

class program_plan final : public state_plan {
 public:
  program_plan(std::unique_ptr<state_plan> inner, pointer_search search)
      : inner_(std::move(inner)), search_(std::move(search)) {
    search_.to = [this](std::uintptr_t old) { return inner_->whereabouts(old); };
  }

  result<state_report> carry() override {
    result<state_report> report = inner_->carry();
    if (!report) return report;
    try {
      const std::size_t count = pointers_.set_right(search_);
      if (count == 0) return report;
      const std::string words = std::to_string(count) + (count == 1 ? " pointer" : " pointers");
      const state_remark said{state_fate::converted, "the program's memory", words + " set to the new build"};
      report->remarks.insert(report->remarks.begin(), said);
      return report;
    } catch (const std::bad_alloc&) {
      undo();
      return error(stage::handover, {}, "there is no memory to set the program's pointers right");
    }
  }
  void undo() noexcept override {
    pointers_.undo();
    inner_->undo();
  }
  std::optional<std::uintptr_t> whereabouts(std::uintptr_t old) override { return search_.to(old); }
  std::function<void()> farewell() override { return inner_->farewell(); }

 private:
  const std::unique_ptr<state_plan> inner_;
  pointer_search search_;
  loose_pointers pointers_;
};

class program_carrier final : public state_carrier {
 public:
  program_carrier(std::shared_ptr<state_carrier> inner, std::function<shared_variables()> shared)
      : inner_(std::move(inner)), shared_(std::move(shared)) {}

  // All that asks the loader is done here: in the quiet moment a thread that waits may have its lock.
  result<std::unique_ptr<state_plan>> prepare(const state_side& from, const state_side& to) override {
    const shared_variables shared = shared_();
    state_side is = to;
    is.shared = shared.names;
    result<std::unique_ptr<state_plan>> planned = inner_->prepare(from, is);
    if (!planned) return planned;
    const std::optional<held_image> old = image_of(from.handle);
    const std::optional<held_image> now = image_of(to.handle);
    if (!old || !now) return error(stage::handover, std::string(to.path), "the loader does not know a build");
    pointer_search search{.old = *old,
                          .loaders = std::make_shared<holding::loaders_words>(*old, holding::loaded_objects(old->base)),
                          .too = shared.places,
                          .now = *now,
                          .to = {}};
    return std::unique_ptr<state_plan>(std::make_unique<program_plan>(*std::move(planned), std::move(search)));
  }

 private:
  const std::shared_ptr<state_carrier> inner_;
  const std::function<shared_variables()> shared_;
};

}  // namespace

std::shared_ptr<state_carrier> program_state(std::shared_ptr<state_carrier> carrier,
                                             std::function<shared_variables()> shared) {
  return std::make_shared<program_carrier>(std::move(carrier), std::move(shared));
}

}  // namespace autoreload::exec
