// SPDX-License-Identifier: MIT
// frame_keeper: keeps what reloadable::frame() gives, from one poll() to the next.
//
// A call through frame() announces nothing. It is safe because its generation is pinned from the end of one poll() to
// the next, by the thread that polls. That one is in no call then, or its stack shows it: such a pin stays.
//
// SHARED  `published::frame`, which the polling thread alone writes and calls through; other threads read it by mistake
//         only. `polled_by`, for the check of that mistake. The rest is guarded by the engine's lock.
#pragma once

#include <sys/types.h>

#include <optional>
#include <utility>
#include <vector>

#include <autoreload/pin.hpp>

#include "reload/frames/own_stack.hpp"
#include "reload/generation.hpp"

namespace autoreload {

class frame_keeper {
 public:
  frame_keeper() = default;
  frame_keeper(const frame_keeper&) = delete;
  frame_keeper& operator=(const frame_keeper&) = delete;

  /// Whether no frame has begun yet.
  [[nodiscard]] bool is_empty() const noexcept { return held_.empty(); }
  /// Whether the calling thread has begun one that goes on.
  [[nodiscard]] bool is_of_this_thread() const noexcept;
  /// Begins a frame of the calling thread, in which calls go into what is published. Nothing if it is that already.
  /// @param running  what is published, or null
  /// @param stack    see look_at_own_stack(). Who keeps there what the frame before gave is waited for
  void begin(detail::published& current, const generation* running, const void* stack);
  /// Ends it, and those before it that could not end: what the calling thread is not inside of may be unloaded. Calls
  /// through frame() throw until the next begin().
  /// @param stack  see look_at_own_stack()
  /// @return false when a call is still under way in one of them, or may be: another thread polled before. Who merely
  ///         keeps the table of an older one, or left its address behind in its frame, is waited for without a word
  [[nodiscard]] bool end(detail::published& current, const void* not_loaded, const void* stack);
  /// Whether it was said before that a frame could not be ended; from now on it was.
  [[nodiscard]] bool was_told() noexcept { return std::exchange(told_, true); }
  /// The owner is gone: nobody calls through frame() any more, but for the calling thread, if it is in a call still.
  /// That generation stays for good.
  void close(detail::published& current, const void* not_loaded, const void* stack);

 private:
  struct one {
    detail::pinned pin;
    pid_t thread;
    std::vector<address_range> code;  // its own, and that of what it needs
  };
  [[nodiscard]] static bool is_inside(const one& frame, const void* stack, address_range but);

  std::vector<one> held_;     // the frame that goes on, and those that could not end
  std::optional<one> ended_;  // between end() and begin(), of the generation that ran then
  bool told_ = false;
};

}  // namespace autoreload
