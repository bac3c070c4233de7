// SPDX-License-Identifier: MIT
// handle: what `reloadable` holds of an engine.
#include <autoreload/engine.hpp>

#include <string>
#include <utility>

#include "reload/engine_core.hpp"
#include "reload/going_back/going_back.hpp"

namespace autoreload::detail {

engine::engine(loader api, std::string path, options chosen, published& current)
    : core_(std::make_shared<engine_core>(api, std::move(path), std::move(chosen), current)) {
  try {
    core_->open();
  } catch (...) {  // an observer's, too: there may be a generation by then
    core_->close(__builtin_frame_address(0));
    throw;
  }
}

engine::~engine() {
  __builtin_unwind_init();
  if (core_->forked()) {
    // The thread, the locks' owners and the inotify instance are the parent's: leave them and the library alone.
    new std::shared_ptr<engine_core>(std::move(core_));
    return;
  }
  core_->close(__builtin_frame_address(0));
}

// An observer may destroy the engine that calls it.
// The caller's registers go to this frame, where they are looked at: see own_stack.hpp.
[[gnu::noinline]] void engine::poll(std::chrono::nanoseconds budget) {
  __builtin_unwind_init();
  const std::shared_ptr<engine_core> kept = core_;
  kept->poll(budget, __builtin_frame_address(0));
}
[[gnu::noinline]] result<void> engine::reload(start from) {
  __builtin_unwind_init();
  const std::shared_ptr<engine_core> kept = core_;
  return kept->reload(from, __builtin_frame_address(0));
}
void engine::on_handover(std::function<void(const void*, const void*)> run) { core_->on_handover(std::move(run)); }
std::vector<generation_record> engine::history() { return core_->records(); }
result<void> engine::activate(std::uint64_t number) { return going_back(*std::shared_ptr(core_)).activate(number); }
result<void> engine::roll_back() { return going_back(*std::shared_ptr(core_)).roll_back(); }
result<void> engine::reject(const std::string& reason) { return going_back(*std::shared_ptr(core_)).reject(reason); }
result<void> engine::approve() { return going_back(*std::shared_ptr(core_)).approve(); }
void engine::hold() { going_back(*std::shared_ptr(core_)).hold(); }
void engine::release() { going_back(*std::shared_ptr(core_)).release(); }
error engine::no_call(const char* symbol) const {
  if (symbol == nullptr) {
    return error(stage::use, core_->path(), "no generation is loaded yet")
        .advise("wait for the first event of kind loaded, or test loaded() before the call");
  }
  return error(stage::use, core_->path(), std::string(symbol) + " was called, which this generation lacks")
      .advise("it is declared optional: test it on a pin, or take the answer for a no");
}
error engine::no_guard() const {
  return error(stage::use, core_->path(), "the call can't be guarded, and was not made")
      .advise("it needs 68 KB for a signal stack in each thread, signal handlers, and a timer for a limit");
}
error engine::ended(const landing& call, const void* table, bool& keep) const {
  return going_back(*std::shared_ptr(core_)).ended(call, table, keep);
}
void engine::came_back(const void* table) const { core_->came_back(table); }
void engine::pause() { core_->pause(); }
void engine::resume() { core_->resume(); }
int engine::descriptor() const { return core_->readable(); }
std::uint64_t engine::generation_of(const void* table) const { return core_->number_of(table); }
std::uint64_t engine::generation() const { return core_->number(); }
std::optional<error> engine::last_failure() const { return core_->failure(); }
const std::string& engine::path() const { return core_->path(); }
watch_mode engine::watching() const { return core_->watching(); }

}  // namespace autoreload::detail
