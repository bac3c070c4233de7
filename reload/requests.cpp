// SPDX-License-Identifier: MIT
// requests: what the owner asks of an engine, and the handle by which.
#include <autoreload/engine.hpp>

#include <string>
#include <utility>

#include "reload/at_work.hpp"
#include "reload/engine_core.hpp"
#include "reload/service.hpp"

namespace autoreload::detail {

result<void> engine_core::may_change(const at_work& here) const {
  const auto not_now = [&](const char* reason) {
    return error(stage::use, wanted_.path, reason).advise("ask for it from another thread, or later");
  };
  if (here->inside()) return not_now("reload() was called from inside this library's own loading or unloading");
  if (!here->held()) {
    return not_now(
        "reload() was called from inside a library's constructor or destructor, while another thread is reloading this "
        "one: each may be waiting for the other");
  }
  if (answers_.closed()) return error(stage::use, wanted_.path, "the engine is closed");
  return {};
}

result<void> engine_core::reload(start from, const void* stack) {
  if (forked()) {
    return error(stage::use, wanted_.path, "this process was forked from the one that watches")
        .advise("construct a new reloadable in the child; calls through this one go on");
  }
  // It may have been turned away meanwhile; and an observer that throws leaves it what there is to do.
  struct call_the_service {
    const std::shared_ptr<service> served;
    ~call_the_service() {
      if (served != nullptr) served->wake();
    }
  } const at_the_end{service_};
  std::optional<setback> no;
  {
    // Inside another library's constructor this thread holds the loader's lock, for which whoever holds ours may be
    // waiting: so not for ever.
    const at_work here(*this, work_lock::nested() ? work_lock::how::wait_briefly : work_lock::how::wait);
    if (result<void> may = may_change(here); !may) return may;
    const frame_boundary frame(*this, frames_.is_of_this_thread() ? stack : nullptr);
    spare_time any;
    no = examine_or_wait_for_memory(true, from, any);
  }
  outbox_.deliver();
  step();
  if (!no) return {};
  return no->why ? *std::move(no->why) : error(stage::use, wanted_.path, "the engine is closed");
}

std::vector<generation_record> engine_core::records() {
  const at_work here(*this, work_lock::how::wait);
  if (!here->held() && !here->inside()) return {};
  return history_.records();
}

void engine_core::pause() { answers_.pause(true); }

void engine_core::resume() {
  answers_.pause(false);
  if (forked()) return;
  schedule_.ask();
  {  // sets the deadline; who is at work sets it, too
    const at_work here(*this, work_lock::nested() ? work_lock::how::try_once : work_lock::how::wait);
  }
  if (service_ != nullptr) service_->wake();
}

// ---- the handle that `reloadable` holds

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
result<void> engine::activate(std::uint64_t number) { return std::shared_ptr(core_)->activate(number); }
result<void> engine::roll_back() { return std::shared_ptr(core_)->roll_back(); }
result<void> engine::reject(const std::string& reason) { return std::shared_ptr(core_)->reject(reason); }
result<void> engine::approve() { return std::shared_ptr(core_)->approve(); }
void engine::hold() { std::shared_ptr(core_)->hold(); }
void engine::release() { std::shared_ptr(core_)->release(); }
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
  return std::shared_ptr(core_)->ended(call, table, keep);
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
