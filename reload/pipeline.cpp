// SPDX-License-Identifier: MIT
// pipeline: the way of a new library into the process, one stage after the other.
#include <sys/eventfd.h>

#include <algorithm>
#include <cerrno>
#include <exception>
#include <functional>
#include <string_view>
#include <system_error>

#include "crash/crash_table.hpp"
#include "digest/digest.hpp"
#include "elf/dynamic_section.hpp"
#include "reload/engine_core.hpp"
#include "reload/inspect/inspect.hpp"
#include "reload/load/load.hpp"
#include "reload/load/traced.hpp"
#include "reload/load/verify.hpp"
#include "reload/publish.hpp"
#include "system/cancellation.hpp"
#include "trial/trial.hpp"

namespace autoreload::detail {
namespace {

// Measures one stage after the other.
class stopwatch {
 public:
  explicit stopwatch(engine_core::time_point start) : start_(start), last_(start) {}
  timings::duration lap() {
    const auto now = engine_core::clock::now();
    return now - std::exchange(last_, now);
  }
  [[nodiscard]] timings::duration total() const { return last_ - start_; }

 private:
  engine_core::time_point start_;
  engine_core::time_point last_;
};

// dlopen tells only by its words that it ran out of something, and of memory not even by strerror's. (Of room for
// thread-local data it says "cannot allocate memory in static TLS block": that never comes back.)
bool loader_was_short(error& reason) {
  const auto says = [&](std::string_view words) { return reason.system().find(words) != std::string::npos; };
  for (const int number : {EMFILE, ENFILE, ENOMEM}) {
    if (says(std::generic_category().message(number))) return true;
  }
  if (!says("failed to map segment") && !says("cannot create shared object descriptor")) return false;
  reason.advise("the process is out of memory or of address space (ulimit -v, RLIMIT_AS); it is tried again");
  return true;
}

std::uint64_t digest_of(std::span<const std::byte> bytes) {
  return std::hash<std::string_view>{}({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

}  // namespace

// A trial that another thread waits for would hold up the engine's end for its whole time limit. A forked child has the
// same eventfd and no business with its parent's trials.
void engine_core::give_up_trial() noexcept {
  closing_ = true;
  if (cancel_.still_ours() && !forked()) eventfd_write(cancel_.get(), 1);
}

// Load before unload, always: whatever ends this early leaves the running generation as it was.
engine_core::outcome engine_core::run_pipeline(bool forced) {
  timings times;
  stopwatch watch(woken_);
  const bool whole = options_.guard != nullptr;

  // snapshot: bytes that nobody can change any more
  const std::optional<file_identity> busy_before = std::exchange(busy_with_, std::nullopt);
  snapshot_outcome taken = snapshotter_.take({file_, options_.trust, whole, &patience_});
  switch (taken.state) {
    case snapshot_state::ready: break;
    case snapshot_state::busy:
      awaited_.reset();
      try_again(busy_before, taken.seen);
      return outcome::waiting;
    case snapshot_state::absent:
      looked_at_.reset();
      return wait_for(
          error(stage::snapshot, path_, "there is no such file").advise("it is loaded as soon as it is there"));
    case snapshot_state::failed:
      taken.failure->rename(path_);
      return taken.may_pass ? refuse_for_now(*std::move(taken.failure))
                            : refuse_unremembered(*std::move(taken.failure));
  }
  looked_at_.reset();  // no verdict yet
  times.snapshot = watch.lap();

  // inspect: is it new, complete, and fit for the loader
  const auto decided = [&, source = taken.image.source](outcome verdict) {
    // A file that changed a moment ago may change again without getting another time: then look again when asked.
    if (source.settled()) looked_at_ = source;
    snapshotter_.drop();
    return verdict;
  };
  const auto unchanged = [&] {
    stop_waiting();
    refused_.reset();
    {
      const std::lock_guard lock(names_);
      failure_.reset();
    }
    return decided(outcome::unchanged);
  };
  const bool same = !forced && !running_.empty() && snapshotter_.same_content(running_.front().image);
  // What a refusal is about, so that it is said once.
  std::uint64_t needed_state = state_of(dependency_paths_);
  const auto build = [&, from = taken.image.source] {
    return digest_of(taken.bytes.first(std::min<std::size_t>(taken.bytes.size(), 65536))) ^
           static_cast<std::uint64_t>(from.modified) ^ from.size ^ needed_state;
  };
  if (same && needed_state == dependency_state_) return unchanged();
  if (!forced && refused_ && refused_ == build()) {
    stop_waiting();
    {
      const std::lock_guard lock(names_);
      failure_ = refusal_;
    }
    return decided(outcome::refused);
  }
  const auto refuse_content = [&](error reason) {
    refused_ = build();
    refusal_ = reason;
    return decided(refuse(std::move(reason)));
  };
  const auto refuse_load = [&](error reason) {
    return loader_was_short(reason) ? refuse_for_now(std::move(reason)) : refuse_content(std::move(reason));
  };
  inspection seen = inspect(taken.bytes);
  if (seen.is == verdict::incomplete) {
    return wait_for(error(stage::inspect, path_, seen.reason).advise(seen.advice));
  }
  if (seen.is == verdict::wrong) {
    return refuse_content(error(stage::inspect, path_, seen.reason).advise(seen.advice));
  }
  if (options_.require_digest && !seen.facts.has_digest) {
    return wait_for(error(stage::inspect, path_, std::string(no_digest)).advise(std::string(make_digest)));
  }
  seen.facts.thread_destructors = mentions({taken.bytes, seen.facts.segments, 0}, "__cxa_thread_atexit");
  times.inspect = watch.lap();
  if (result<void> kept = snapshotter_.keep(taken.image); !kept) {
    return refuse_for_now(std::move(kept.error().rename(path_)));
  }
  times.snapshot += watch.lap();

  // dependencies: the user's own libraries that it needs come along
  dependencies needed = prepare_dependencies(path_, taken.image, taken.bytes, seen.facts,
                                             {options_.trust, options_.require_digest, &patience_},
                                             running_.empty() ? private_libraries() : running_.front().needs);
  dependency_paths_ = needed.paths;
  needed_state = needed.state;
  if (needed.busy) try_again(busy_before, needed.busy);
  if (needed.failure && needed.passing) return wait_for(*std::move(needed.failure));
  if (needed.failure && needed.shortage) return refuse_for_now(*std::move(needed.failure));
  if (needed.failure && needed.elsewhere) return refuse_unremembered(*std::move(needed.failure));
  if (needed.failure) return refuse_content(*std::move(needed.failure));
  if (same && needed.libraries == running_.front().needs) {  // touched, but not changed
    dependency_state_ = needed.settled ? needed.state : 0;
    return unchanged();
  }

  // guard: would its callers still fit
  if (options_.guard != nullptr) {
    guard_verdict opinion;
    try {
      const bool known = !running_.empty() && running_.front().image.memory.still_ours();
      const int running = known ? running_.front().image.memory.get() : -1;
      opinion = options_.guard->check({path_, taken.image.memory.get(), running, api_.symbols, api_.api_type});
    } catch (const std::exception& thrown) {
      return refuse_content(error(stage::guard, path_, "the ABI checker threw an exception").system(thrown.what()));
    } catch (const cancellation&) {
      throw;
    } catch (...) {
      return refuse_content(error(stage::guard, path_, "the ABI checker threw something that is no std::exception"));
    }
    std::string remarks;
    for (const std::string& difference : opinion.differences) remarks += "\n  " + difference;
    if (opinion.refuse) {
      return refuse_content(error(stage::guard, path_, "its ABI does not fit the host:" + remarks)
                                .advise("rebuild the host against the new header, or undo the change"));
    }
    for (const std::string& difference : opinion.differences) warn(number_ + 1, "ABI: " + difference);
    for (const std::string& note : opinion.notes) warn(number_ + 1, "ABI: " + note);
    times.guard = watch.lap();
  }

  // trial: what its constructors do is done to a helper process first
  if (options_.trial.enabled) {
    std::vector<std::string> names;
    for (const symbol_info& symbol : api_.symbols) names.emplace_back(symbol.name);
    std::vector<std::string> first;
    for (const auto& library : needed.libraries) first.push_back(library->image.load_path);
    const std::string by_name = taken.image.named ? taken.image.load_path : std::string();
    bool shortage = false;
    const result<void> tried = trial_load(
        taken.image.memory.get(), path_,
        {options_.trial, options_.load_flags, by_name, std::move(first), std::move(names), cancel_.get()}, &shortage);
    if (!tried && closing_) return outcome::waiting;  // nobody wants the answer any more
    if (!tried) return shortage ? refuse_for_now(tried.error()) : refuse_content(tried.error());
    times.trial = watch.lap();
  }

  // load: all required symbols or nothing
  if (const result<void> opened = open_dependencies(needed.libraries, path_, options_.load_flags); !opened) {
    return refuse_load(opened.error());
  }
  generations next(1);
  generation& made = next.front();
  made.image = std::move(taken.image);
  // A debugger reads debug information once, while dlopen maps the library: for its sake it has to be there by then.
  if (!made.image.later.empty() && is_traced()) complete(made.image);
  auto loaded = load(api_, path_, made.image, taken.bytes, options_.load_flags);
  if (!loaded) return refuse_load(std::move(loaded.error()));
  made.module = *std::move(loaded);
  times.load = watch.lap();

  // verify: it is the new one, and its symbols are its own
  verification checked = verify(api_, path_, made.image, taken.bytes, seen.facts, *made.module);
  if (checked.failure) return refuse_content(*std::move(checked.failure));
  times.verify = watch.lap();

  // publish: the next call of every thread is in the new generation
  {
    const std::lock_guard lock(names_);
    tables_.reserve(tables_.size() + 1);
  }
  made.number = number_ + 1;
  made.facts = seen.facts;
  made.needs = std::move(needed.libraries);
  made.crash_ticket = crash_table::add(made.number, path_, checked.base, seen.facts.segments, made.image.memory.get());
  const void* const table = made.module->table();
  bool published = false;
  {
    const std::lock_guard lock(names_);
    if (forced || !paused_) {
      std::erase_if(tables_, [&](const auto& one) { return one.first == table; });
      tables_.emplace_back(table, made.number);
      failure_.reset();
      publish(*current_, table);
      published = true;
    }
  }
  if (!published) {  // resume() looks again
    crash_table::remove(made.crash_ticket);
    snapshotter_.drop();
    return outcome::waiting;
  }
  // From here to the end of this block nothing can fail: old code with callers inside must be in somebody's hands.
  number_ = made.number;
  dependency_state_ = needed.settled ? needed.state : 0;
  running_.swap(next);
  if (!next.empty()) {
    retired_.add(next, options_.keep_old);
    sweep_pause_ = std::chrono::milliseconds(0);
    sweep_at_ = clock::now();
  }
  times.publish = watch.lap();
  times.total = watch.total();
  stop_waiting();
  refused_.reset();
  snapshotter_.drop();

  emit({event_kind::loaded, number_, path_, "", std::nullopt, times});
  for (const std::string& warning : seen.warnings) warn(number_, warning);
  for (const std::string& warning : needed.warnings) warn(number_, warning);
  for (const std::string& warning : checked.warnings) warn(number_, warning);
  if (running_.front().image.source.settled()) looked_at_ = running_.front().image.source;
  return outcome::published;
}

void engine_core::stop_waiting() noexcept {
  awaited_.reset();
  said_.clear();
}

// There is nothing to load for now. A linker at work goes through such states: only one that lasts is worth a word.
engine_core::outcome engine_core::wait_for(error reason) {
  snapshotter_.drop();
  if (first_look_ && said_ != reason.what()) {
    said_ = reason.what();
    emit({event_kind::waiting, number_, path_, reason.reason(), reason, {}});
  }
  if (!awaited_ || std::string_view(awaited_->what()) != reason.what()) {
    say_at_ = clock::now() + std::chrono::milliseconds(500);
  }
  {
    const std::lock_guard lock(names_);
    failure_ = reason;
  }
  awaited_ = std::move(reason);
  return outcome::waiting;
}

engine_core::outcome engine_core::refuse(error reason) {
  stop_waiting();
  {
    const std::lock_guard lock(names_);
    const bool again = !refused_ && failure_ && std::string_view(failure_->what()) == reason.what();
    failure_ = reason;
    if (again) return outcome::refused;  // a shortage that lasts is reported once
  }
  emit({event_kind::refused, number_, path_, reason.reason(), std::move(reason), {}});
  return outcome::refused;
}

// For what is not in the contents: the next look decides anew, and tells only what is new.
engine_core::outcome engine_core::refuse_unremembered(error reason) {
  looked_at_.reset();
  refused_.reset();
  snapshotter_.drop();
  return refuse(std::move(reason));
}

// What has run out may be there again later, without any event to tell.
engine_core::outcome engine_core::refuse_for_now(error reason) {
  look_at_ = clock::now() + std::chrono::seconds(1);
  return refuse_unremembered(std::move(reason));
}

// First that it is tried again, then the words, which take memory themselves.
void engine_core::out_of_memory() noexcept {
  look_at_ = clock::now() + std::chrono::seconds(1);
  if (watch_) watch_->mark_moved();  // may have been taken, to no avail
  snapshotter_.drop();
  try {
    refuse_for_now(
        error(stage::use, path_, "out of memory").advise("the running generation goes on; it is tried again"));
  } catch (const std::bad_alloc&) {
  }
}

// Somebody is writing. The kernel tells when they close it; should it not (a forgotten descriptor in another process),
// it is taken once it has not changed for a second.
void engine_core::try_again(const std::optional<file_identity>& before, const std::optional<file_identity>& seen) {
  const time_point now = clock::now();
  snapshotter_.drop();
  busy_with_ = seen;
  if (before != seen || !before) busy_pause_ = std::chrono::milliseconds(10);
  look_at_ = now + busy_pause_;
  busy_pause_ = std::min(busy_pause_ * 2, std::chrono::milliseconds(250));
  looked_at_.reset();
}

void engine_core::sweep() {
  // First, so that a sweep for which there is no memory is not tried again at once.
  sweep_pause_ = std::clamp(sweep_pause_ * 2, std::chrono::milliseconds(1), std::chrono::milliseconds(250));
  sweep_at_ = clock::now() + sweep_pause_;
  const std::vector<retirement> done = retired_.sweep();
  {
    const std::lock_guard lock(names_);
    for (const retirement& one : done) {
      if (one.unloaded) {
        std::erase_if(tables_, [&](const auto& entry) { return entry.second == one.generation; });
      }
    }
  }
  if (!retired_.pending()) sweep_at_ = never;
  report(done);
}

}  // namespace autoreload::detail
