// SPDX-License-Identifier: MIT
// event: what the engine has to say.
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <autoreload/error.hpp>
#include <autoreload/state.hpp>

namespace autoreload {

/// How long each stage of a reload took. A stage that did not run took zero.
struct timings {
  /// Nanoseconds.
  using duration = std::chrono::nanoseconds;
  duration snapshot{};  ///< open, trust, read, copy
  duration inspect{};   ///< compare with the running content, check the ELF structure
  duration guard{};     ///< the ABI checker
  duration trial{};     ///< the trial load in a helper process
  duration load{};      ///< dlopen with its constructors, and dlsym
  duration verify{};    ///< whose symbols are these
  duration handover{};  ///< from the old generation to the new one, the time in which calls waited included
  duration publish{};   ///< the store
  duration total{};     ///< from the watcher's wake-up to the published generation
};

/// What an event tells of.
enum class event_kind : std::uint8_t {
  loaded,       ///< a new generation is published
  refused,      ///< a build was not loaded: see failure
  waiting,      ///< there is nothing (complete) at the path for now: see failure
  unloaded,     ///< an old generation left the process
  retained,     ///< an old generation can't leave: see text for why, or for what it waits
  warning,      ///< loaded, but something about it will hurt: see text. Told anew for each generation
  activated,    ///< an older generation runs again: see text for why
  held,         ///< hold() was called, or a new build waits because it was: see failure
  released,     ///< new builds are loaded again
  approved,     ///< the generation's probation is over
  quarantined,  ///< a guarded call crashed or hung in the generation: see failure. It is never unloaded nor loaded
                ///< again
  stuck,        ///< a call doesn't come back from a generation that runs no more: see text for which thread, and where
  current,      ///< after refused or waiting was told: what is at the path is again what runs
};

/// The kind's name in lower case. Never fails, any thread.
[[nodiscard]] AUTORELOAD_API std::string_view to_string(event_kind kind) noexcept;

/// One thing that happened, as a value.
struct event {
  event_kind kind{};  ///< what happened
  /// Which loaded version; the first is 1, 0 is none. Of refused, waiting and held: the one that goes on.
  std::uint64_t generation = 0;
  std::string path;              ///< the library as the user named it
  std::string text;              ///< for a person
  std::optional<error> failure;  ///< of refused, waiting, quarantined, and held if a build waits
  timings times;                 ///< of loaded
  /// Of loaded and refused: which build this was. Each that is loaded or refused counts once, from 1.
  std::uint64_t attempt = 0;
  /// Of loaded: what options::state carried over from the generation before; null when nothing was to be carried.
  std::shared_ptr<const state_report> state = nullptr;
};

/// The event as text for a person, of one line or more, without a newline at the end: the kind, the library, the
/// generation, and all that `text`, `failure` and `times` say. For example
/// ```
/// refused: build 2: inspect: "./libfoo.so": this is a text file
///   generation 1 goes on
/// loaded: "./libfoo.so": generation 2 (build 3) after 189 us (snapshot 40, inspect 10, load 130, verify 7, publish 2)
/// warning: "./libfoo.so": generation 2: ABI: the library has no debug information (-g)
/// ```
/// Thread-safety: any thread.
/// @throws std::bad_alloc
[[nodiscard]] AUTORELOAD_API std::string to_string(const event& happened);

/// The observer that an engine has unless its host chooses another: writes `autoreload: `, to_string(happened) and a
/// newline to the file descriptor of standard error, by one write(2), so that lines don't mix. What can't be written is
/// dropped; SIGPIPE doesn't reach the host. It waits as long as standard error does.
///
/// Thread-safety: any thread.
AUTORELOAD_API void log_to_stderr(const event& happened);

/// No observer: `options.observer = autoreload::silent;` when an engine shall say nothing.
/// reloadable::last_failure() still tells why the newest build was not loaded.
inline constexpr std::nullptr_t silent = nullptr;

/// A queue of events for those who prefer to ask: give `queue.observer()` to the options, then take from any thread.
/// The queue must outlive the engine.
///
/// Thread-safety: all members, any thread.
class event_queue {
 public:
  /// The next event, or nothing when none came within `patience` (any length; negative is none).
  std::optional<event> next(std::chrono::milliseconds patience = std::chrono::milliseconds{0}) {
    std::unique_lock lock(mutex_);
    if (!arrived_.wait_for(lock, std::min<std::chrono::milliseconds>(patience, longest),
                           [&] { return !events_.empty(); }))
      return std::nullopt;
    event first = std::move(events_.front());
    events_.pop_front();
    return first;
  }

  /// The next event of this kind; the others before it are dropped. Nothing when none came within `patience`.
  std::optional<event> next(event_kind kind, std::chrono::milliseconds patience) {
    const auto deadline = std::chrono::steady_clock::now() + std::min<std::chrono::milliseconds>(patience, longest);
    for (;;) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
      std::optional<event> found = next(left.count() > 0 ? left : std::chrono::milliseconds{0});
      if (!found || found->kind == kind) return found;
    }
  }

  /// What to put into options::observer.
  auto observer() {
    return [this](const event& happened) {
      const std::lock_guard lock(mutex_);
      events_.push_back(happened);
      arrived_.notify_all();
    };
  }

 private:
  static constexpr std::chrono::hours longest{24 * 365};  // the clock's sum with more may overflow

  std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<event> events_;
};

}  // namespace autoreload
