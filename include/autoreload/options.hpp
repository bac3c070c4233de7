// SPDX-License-Identifier: MIT
// options: how an engine watches, is driven, checks and loads.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

#include <autoreload/backend.hpp>
#include <autoreload/event.hpp>
#include <autoreload/guard.hpp>
#include <autoreload/handover.hpp>
#include <autoreload/history.hpp>
#include <autoreload/state.hpp>
#include <autoreload/trial.hpp>
#include <autoreload/trust.hpp>
#include <autoreload/unload.hpp>

namespace autoreload {

/// How changes are noticed.
enum class watch_mode : std::uint8_t {
  automatic,  ///< inotify; polling where inotify can't see (network and FUSE file systems) or is not to be had
  inotify,    ///< events from the kernel: reacts at once
  polling,    ///< compares the file's identity every poll_interval
};

/// The mode's name. Never fails, any thread.
[[nodiscard]] constexpr std::string_view to_string(watch_mode mode) noexcept {
  switch (mode) {
    case watch_mode::automatic: return "automatic";
    case watch_mode::inotify: return "inotify";
    case watch_mode::polling: return "polling";
  }
  return "unknown";
}

/// Who does the work.
enum class drive_mode : std::uint8_t {
  background,  ///< a thread, shared by all engines of the process that are driven like this
  manual,      ///< no thread: the owner calls poll(), in a frame loop or when descriptor() is readable
};

/// Under which name the dynamic loader knows a library: what dladdr tells of it, and where its `$ORIGIN` is. What is
/// loaded is a private copy either way.
enum class loader_name : std::uint8_t {
  /// `beside` for a library that can look for itself (it calls dladdr or dlinfo, or dlopen with `$ORIGIN`). For every
  /// other `descriptor`.
  automatic,
  /// `/proc/PID/fd/N`: leaves nothing behind on disk, whatever ends the process.
  descriptor,
  /// A hidden file in the library's own directory, `.autoreload-…-NAME`, there as long as the library is loaded. What a
  /// killed process leaves behind, the next one removes. Where none can be made it is `descriptor`, and a warning says
  /// why.
  beside,
};

/// How an engine watches, is driven, checks and loads. Read once, by the constructor.
struct options {
  /// How changes are noticed.
  watch_mode watch = watch_mode::automatic;
  /// Who does the work.
  drive_mode drive = drive_mode::background;
  /// Manual drive: whether the program calls through reloadable::frame(). Then poll() keeps the generation that it
  /// gives loaded until the next poll(), and a handover happens in poll() or in a reload() on the polling thread.
  bool frames = false;
  /// How often polling looks: 1 ms to a day. Other modes ignore it.
  std::chrono::milliseconds poll_interval{1000};
  /// dlopen's flags. RTLD_LAZY is refused: an undefined symbol would end the process at its first call.
  int load_flags = default_load_flags;
  /// What the library finds when it looks for itself: its own directory, or none.
  loader_name name = loader_name::automatic;
  /// Never unload old generations: for libraries that leave threads, handlers or pointers behind. Each costs its memory
  /// and a file descriptor; a reload that finds none left is refused.
  bool keep_old = false;
  /// How many old generations can run again.
  history_policy history;
  /// When a new generation counts as good.
  probation_policy probation;
  /// How long a call may stay in a generation that runs no more before an event `stuck` tells which thread it is, and
  /// what it does: to see where a thread is that runs, it is stopped by ptrace for some 0.1 ms. 0: it is never told.
  std::chrono::milliseconds stuck_after{10000};
  /// Called for each event, in order, never two at a time for one engine, without any lock of the engine's held: it may
  /// call the engine, also destroy it. In background mode it runs on the shared thread, so it should not take long.
  /// What it throws comes out of the constructor, reload(), poll() or the like that called it, after all events are
  /// delivered and with nothing undone but the constructor; on the shared thread it is dropped.
  ///
  /// The default writes each event to standard error. `autoreload::silent` is none; an own one can still hand on what
  /// it is told, by log_to_stderr() or to_string().
  std::function<void(const event&)> observer = log_to_stderr;
  /// Whose files may be loaded.
  trust_policy trust;
  /// Load only what ends with a digest (autoreload-digest appends it, as the last step of a build): then a file that is
  /// damaged in a byte that the loader maps, or whose build has not come to its end, is never loaded. A library without
  /// one is waited for, and so is one of the user's that it needs. A digest that does not agree is refused in any case.
  bool require_digest = false;
  /// Whether a library is loaded in a helper process first.
  trial_policy trial;
  /// An ABI checker, or none.
  std::shared_ptr<abi_checker> guard;
  /// Carries the library's own variables from each generation to the next. None: they start anew.
  std::shared_ptr<state_carrier> state;
  /// Looks who may still come back to an old generation, beside the pins, before it is unloaded. None: pins alone
  /// count.
  std::shared_ptr<unload_check> unload;
  /// How one generation hands over to the next, where there is something to hand over.
  handover_options handover;
};

}  // namespace autoreload
