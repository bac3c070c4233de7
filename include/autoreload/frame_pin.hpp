// SPDX-License-Identifier: MIT
// frame_pin: a pin that is renewed once per frame, so that a call in the frame costs a raw call.
//
// A thread that works in frames is inside of no call between two of them: that is its quiescent state, and to say so
// once per frame is all that its calls pay for (McKenney and Slingwine, "Read-Copy Update: Using Execution History to
// Solve Concurrency Problems", 1998; Desnoyers et al., "User-Level Implementations of Read-Copy Update", 2012). There a
// thread that says nothing keeps everything that was retired since. Here its slot names the one generation that it
// uses (see pin.hpp), so that one stays and all others go.
#pragma once

#include <atomic>
#include <utility>

#include <autoreload/language.hpp>
#include <autoreload/pin.hpp>

namespace autoreload {

/// What a thread calls through in a frame: `calls->foo(1)` takes one instruction more than a raw pointer.
///
/// ```cpp
/// auto calls = lib.frame_pin();          // each thread has its own
/// while (running) {
///   calls.quiescent();                   // once per frame, in no call: from here on the newest generation
///   calls->update(&world);
///   calls->draw(&world);
/// }
/// ```
///
/// A thread that never comes to quiescent() again keeps one generation loaded. The events `retained` and `stuck` name
/// it (see options::stuck_after). A thread that waits for long drops its frame_pin before, or calls release().
///
/// Thread-safety: one thread at a time. Threads that the frame waits for (a pool) may call through it, too.
template <class Api>
class [[nodiscard]] frame_pin {
 public:
  /// @param current  a reloadable's; use reloadable::frame_pin(). @throws std::bad_alloc
  explicit frame_pin(detail::published& current) : current_(&current), held_(detail::pin_beside(current, nullptr)) {}
  /// Takes the generation over; nothing may be done with `other` afterwards but to destroy it.
  frame_pin(frame_pin&& other) noexcept
      : current_(other.current_), held_(std::exchange(other.held_, {nullptr, nullptr})) {}
  frame_pin& operator=(frame_pin&&) = delete;
  ~frame_pin() { release(); }

  /// The generation's functions and variables: the same one from one quiescent() to the next. Calls throw `error` while
  /// nothing is loaded. Not after release().
  [[nodiscard]] const Api* operator->() const noexcept { return static_cast<const Api*>(held_.table); }
  /// The generation's API struct.
  [[nodiscard]] const Api& operator*() const noexcept { return *static_cast<const Api*>(held_.table); }

  /// No call is under way that this frame_pin let in: whatever ran so far may be unloaded, and the newest generation is
  /// called from now on. References that were made from this object are invalid. Two instructions and a branch when
  /// nothing was reloaded. Waits for the end of a handover, as every call that begins does (see docs/state.md).
  /// @throws std::bad_alloc when it is another thread's first pin; then nothing is held
  void quiescent() {
    if (!is_newest()) [[unlikely]]
      renew(nullptr);
  }

  /// The same for threads that must not wait.
  /// @return false while a handover is under way: then nothing is held, and nothing may be called until this has
  ///         returned true
  [[nodiscard]] bool try_quiescent() {
    if (is_newest()) [[likely]]
      return true;
    renew([]() -> const void* { return &nobody; });
    if (held_.table != &nobody) return true;
    held_ = {nullptr, nullptr};
    return false;
  }

  /// Lets the generation go, until the next quiescent().
  void release() noexcept {
    if (held_.slot != nullptr) detail::unpin(*held_.slot);
    held_ = {nullptr, nullptr};
  }

 private:
  // At a closed gate nothing is confirmed.
  [[nodiscard]] bool is_newest() const noexcept {
    return held_.table != nullptr && current_->confirmed.load(std::memory_order_acquire) == held_.table;
  }
  [[gnu::cold, gnu::noinline]] void renew(detail::substitute otherwise) {
    release();
    held_ = detail::pin_beside(*current_, otherwise);
  }

  static constexpr char nobody = 0;  // its address is no table's

  detail::published* current_;
  detail::pinned held_;
};

}  // namespace autoreload
