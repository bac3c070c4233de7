// SPDX-License-Identifier: MIT
// reloadable: a library that can be called from any thread while it is being replaced.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <autoreload/backends/symbols.hpp>
#include <autoreload/engine.hpp>
#include <autoreload/frame_pin.hpp>
#include <autoreload/guarded.hpp>
#include <autoreload/options.hpp>
#include <autoreload/pin.hpp>

namespace autoreload {

/// A C library that is replaced under its callers.
///
/// ```cpp
/// struct FooApi {
///   autoreload::required<::foo> foo;
///   autoreload::optional<::bar> bar;
/// };
/// autoreload::reloadable<FooApi> lib("build/libfoo.so");
/// lib->foo();                          // always the newest generation
/// auto pin = lib.pin();                // several calls that must see one generation
/// if (pin->bar) pin->bar();
/// ```
///
/// The constructor watches first and looks then, on the calling thread: when it returns, a library that was there is
/// loaded, and no later change is missed. A library that is missing or unusable is no error: it is waited for, loaded()
/// is false, and calls throw `error`.
///
/// Thread-safety: all but poll(): any thread, any time between the end of the constructor and the start of the
/// destructor; they may also be called from inside the library (a host callback) and from the observer. poll(): one
/// thread at a time.
///
/// Lifetime: destroying it while another thread calls through it is an error of the host, as with any object. Pins may
/// outlive it: their generation stays loaded until they go, and is unloaded when any engine of the process next
/// retires.
///
/// @tparam Api      a struct of required and optional symbols (see symbol.hpp)
/// @tparam Backend  a loader_backend
template <class Api, loader_backend Backend = symbols::backend>
class reloadable {
 public:
  /// @param path    the library: a file, or a symbolic link to one; need not exist yet
  /// @param chosen  see options
  /// @throws error of stage use for an empty path or impossible options
  explicit reloadable(std::string path, options chosen = {})
      : engine_(detail::loader_for<Api, Backend>(), std::move(path), std::move(chosen), current_) {}

  /// Stops watching and retires the running generation. Waits for an observer that is running on another thread.
  ~reloadable() = default;

  /// Calls one function of the newest generation: `lib->foo(1, 2)`. The generation is pinned until the end of the full
  /// expression, so arguments and the uses of the result in it are covered, too. For a call's own duration and no
  /// longer, see call(). Cost: 11 instructions over a raw function pointer (bench/count_instructions.py).
  /// @throws error when nothing is loaded, or an optional function is absent
  [[nodiscard]] call_pin<Api> operator->() const { return call_pin<Api>(current_); }

  /// Manual drive with options::frames: the functions and variables of the generation that this frame uses, for the
  /// thread that calls poll(): `lib.frame().foo(1)`. One instruction more than a raw pointer, and no pin: poll() keeps
  /// the generation until the next poll(), and unloads it only when no call into it is under way on this thread's
  /// stack. So a poll() from inside a call (a callback of the host's) is safe: that generation stays until a later
  /// poll().
  ///
  /// A reload() of another thread changes what the next frame calls; one of this thread is as a poll(). Where the
  /// program is built for debugging (without optimisation and without NDEBUG, or with AUTORELOAD_CHECK_FRAMES defined),
  /// a call of frame() from another thread ends the program with a word. In any other build that thread may call until
  /// the next poll() and no longer: have the frame wait for it, or take a frame_pin().
  /// @return the struct, valid until the next poll(). Before the first poll(), inside of one, without options::frames,
  ///         and while nothing is loaded, it is one whose functions throw `error`
  [[nodiscard]] const Api& frame() const noexcept {
#if defined(AUTORELOAD_CHECK_FRAMES) || (!defined(NDEBUG) && !defined(__OPTIMIZE__))
    detail::check_frame_thread(current_);
#endif
    return *static_cast<const Api*>(current_.frame.load(std::memory_order_relaxed));
  }

  /// For any thread that works in frames, with any drive: a pin that it renews once per frame, when it is in no call.
  /// See frame_pin.hpp. @throws std::bad_alloc
  [[nodiscard]] autoreload::frame_pin<Api> frame_pin() const { return autoreload::frame_pin<Api>(current_); }

  /// Pins the newest generation until the pin is destroyed.
  [[nodiscard]] autoreload::pin<Api> pin() const { return autoreload::pin<Api>(current_); }

  /// Calls one function; the generation is pinned for the call and no longer: `lib.call<&FooApi::foo>(1, 2)`.
  /// @throws error when nothing is loaded, or an optional function is absent
  template <auto Member, class... A>
  decltype(auto) call(A&&... arguments) const {
    const call_pin<Api> held(current_);
    return (held.operator->()->*Member)(std::forward<A>(arguments)...);
  }

  /// Pins the newest generation, and never waits: for audio threads and others that must not. See attach_thread for a
  /// thread's first call.
  /// @return nothing while a handover is under way (see docs/state.md), and when none is loaded
  [[nodiscard]] std::optional<autoreload::pin<Api>> try_pin() const {
    autoreload::pin<Api> held(current_, &detail::not_loaded_table<Api>);
    return &*held == detail::not_loaded_table<Api>() ? std::nullopt : std::optional(std::move(held));
  }

  /// Calls an optional function if the newest generation has it: the test and the call see the same one. Never waits.
  /// @return whether it was called, for a void function; else its value, or nothing. Nothing, too, while a handover is
  /// under way
  template <auto Member, class... A>
  auto try_call(A&&... arguments) const {
    const call_pin<Api> held(current_, &detail::not_loaded_table<Api>);
    const auto& function = held.operator->()->*Member;
    using value = decltype(function(std::forward<A>(arguments)...));
    if constexpr (std::is_void_v<value>) {
      if (function) function(std::forward<A>(arguments)...);
      return static_cast<bool>(function);
    } else {
      return function ? std::optional<value>(function(std::forward<A>(arguments)...)) : std::nullopt;
    }
  }

  /// Calls one function, and survives what its code does: `lib.guarded<&FooApi::foo>(1, 2)`. When code of the
  /// generation raises SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP or SIGABRT in this call, the call ends with an error
  /// that names the generation, the function, the line and the address. The generation is quarantined: never unloaded,
  /// never loaded again. The last good one runs from then on. For C code: nothing of the abandoned frames is destroyed
  /// or unlocked.
  ///
  /// Where leaving is not known to be safe, the signal goes where it would have gone: in the host's code, in a callback
  /// of the host, or under one; in libc, but for functions that hold no lock; in a frame without unwind table.
  /// docs/safety.md has the whole list, and what else is not promised. The first call in the process installs signal
  /// handlers, the first in a thread an alternate signal stack, if it has none that is large enough.
  ///
  /// Cost: some nanoseconds more than call(). An end costs about 0.1 ms, and more after an endless recursion.
  /// @return the function's value, or an error of stage call; of stage use when nothing is loaded, or an optional
  ///         function is absent. An exception that a host's callback throws passes
  template <auto Member, class... A>
  auto guarded(A&&... arguments) const {
    return detail::call_guarded<Member, Api>(engine_, current_, {}, std::forward<A>(arguments)...);
  }

  /// The same, and ends the call in the same way when it does not come back: `lib.guarded_for<&FooApi::foo>(200ms, 1)`,
  /// or `lib.guarded_for<&FooApi::foo>({2s, true}, 1)` to end it also when a newer build is there. It is ended where
  /// that is known to be safe, so perhaps somewhat later: in the library's own code, or where it sleeps or waits for
  /// input. A waiting system call of the library or of the host's callbacks may be interrupted (EINTR) once the time is
  /// over, and every 10 ms where a newer build shall end the call. Uses one real-time signal and a timer.
  template <auto Member, class... A>
  auto guarded_for(const call_limit& limit, A&&... arguments) const {
    return detail::call_guarded<Member, Api>(engine_, current_, limit, std::forward<A>(arguments)...);
  }

  /// Whether a generation is published.
  [[nodiscard]] bool loaded() const noexcept { return generation() != 0; }
  /// The number of the newest generation: 1 for the first, 0 for none yet.
  [[nodiscard]] std::uint64_t generation() const { return engine_.generation(); }
  /// The number of a pinned generation.
  [[nodiscard]] std::uint64_t generation(const autoreload::pin<Api>& held) const {
    return engine_.generation_of(&*held);
  }
  /// Why the newest build was not loaded, or nothing when what is at the path is what runs.
  [[nodiscard]] std::optional<error> last_failure() const { return engine_.last_failure(); }

  /// Manual drive: looks, reloads if there is something new, unloads what nobody uses any more, and delivers events.
  /// Does not block but for the work itself; a trial load runs beside, and a later poll() goes on with the build. In
  /// background mode it only delivers events that are due.
  ///
  /// @param budget  for frame loops: how long this may take. What there is no time for comes with a later poll(). A
  ///                poll() with a budget that loads a build does nothing else: unloading, debug information and memory
  ///                for the next copy, for which nobody waits, come with later ones. The descriptor stays readable
  ///                until all is done. Each call does at least one piece of the work that there is, so that it comes to
  ///                its end; a further piece is begun if it would end in time, when it takes as long as usual. Pieces
  ///                that can't be cut are the copy of the library, its check (together about 1 ms for each MB), dlopen
  ///                with the library's constructors, the observer's own time, and a handover. Without a budget all is
  ///                done at once
  void poll(std::chrono::nanoseconds budget = (std::chrono::nanoseconds::max)()) { engine_.poll(budget); }
  /// Manual drive: a descriptor for poll(2), epoll or an event loop, readable when poll() has something to do. Owned by
  /// the engine: don't read or close it. -1 in background mode. Nothing is told to it before it is asked for first.
  [[nodiscard]] int descriptor() const { return engine_.descriptor(); }

  /// Loads what is at the path now, on the calling thread, also when paused and also when its content is what runs (so
  /// the library's statics start anew). @return nothing, or why it was not loaded
  /// @param from  fresh: nothing is handed over from the generation that runs, whatever the options say
  result<void> reload(start from = start::carried) { return engine_.reload(from); }
  /// What to do in the quiet moment between two generations: both are loaded, no other thread is inside either of them,
  /// and calls that begin wait (see docs/state.md). Takes the place of an earlier one; an empty function of none. One
  /// that is running goes on.
  ///
  /// `run(from, to)` is called on the thread that reloads: `from` is the generation that runs, `to` the one that comes.
  /// It may call both. What it throws refuses the reload: `from` goes on. It must not wait for another thread that
  /// calls the library, nor destroy either table's owner.
  void on_handover(std::function<void(const Api& from, const Api& to)> run) {
    if (!run) return engine_.on_handover(nullptr);
    engine_.on_handover([run = std::move(run)](const void* from, const void* to) {
      run(*static_cast<const Api*>(from), *static_cast<const Api*>(to));
    });
  }
  /// Stops reacting to changes; calls go on. A handover whose last step has begun still ends with its generation.
  /// Changes made meanwhile are taken by resume().
  void pause() { engine_.pause(); }
  /// Reacts to changes again, first to those that were made meanwhile.
  void resume() { engine_.resume(); }

  /// The generations of this library that are still known, newest first: the one that runs, those that still have a
  /// caller inside, those that can run again (see options::history), and those that are quarantined. Waits for a reload
  /// that is going on. Reads each one's snapshot: some 100 µs. Empty in a forked child.
  [[nodiscard]] std::vector<generation_record> history() { return engine_.history(); }
  /// Lets an older generation run again: the same, if it is still loaded, else a new one with its number and statics of
  /// its own, which is loaded from the copy that is kept. Its own private dependencies are taken as they are now. The
  /// watcher doesn't load what gave way until the file's contents change. An event `activated` tells. With
  /// options::state it is always a new one, which gets the state of the one that runs; a warning tells when it can't.
  /// @param number  of history(). @return nothing, or why not: it is not available, or quarantined
  result<void> activate(std::uint64_t number) { return engine_.activate(number); }
  /// Goes back to the generation that ran before the current one and was not rolled back from itself. As activate().
  result<void> roll_back() { return engine_.roll_back(); }
  /// The host's own judgement that the running generation is bad: roll_back(), with a reason for the event.
  result<void> reject(const std::string& reason) { return engine_.reject(reason); }
  /// The host's own judgement that the running generation is good, which ends its probation.
  /// @return nothing, or that none is on probation
  result<void> approve() { return engine_.approve(); }
  /// Stays at what runs now: new builds are noticed (an event `held` for each) and not loaded until release().
  /// activate(), roll_back() and reload() work, each once.
  void hold() { engine_.hold(); }
  /// Loads new builds again, first the one that is there.
  void release() { engine_.release(); }

  /// The library as it was named.
  [[nodiscard]] const std::string& path() const { return engine_.path(); }
  /// How it watches: inotify or polling.
  [[nodiscard]] watch_mode watching() const { return engine_.watching(); }

  reloadable(const reloadable&) = delete;
  reloadable& operator=(const reloadable&) = delete;

 private:
  // Calls are const, and one in a forked child may have to open a gate that its parent had closed.
  alignas(detail::cache_line) mutable detail::published current_{detail::not_loaded_table<Api>()};
  detail::engine engine_;
};

}  // namespace autoreload
