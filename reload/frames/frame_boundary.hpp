// SPDX-License-Identifier: MIT
// frame_boundary: a thread between two frames.
#pragma once

#include "reload/engine_core.hpp"
#include "reload/frames/frame_keeper.hpp"

namespace autoreload::detail {

/// In its life the calling thread is in no frame, if it has any. Needs options::frames and manual drive, or does
/// nothing.
class engine_core::frame_boundary {
 public:
  /// @param stack  null: the thread has none
  frame_boundary(engine_core& core, const void* stack)
      : core_(core), stack_(core.frames_ != nullptr ? stack : nullptr) {
    if (stack_ == nullptr) return;
    core_.answers_.with_published([&](published& at) {
      if (core_.frames_->end(at, core_.wanted_.api.not_loaded, stack_) || core_.frames_->was_told()) return;
      core_.tell(event_kind::warning,
                 "poll() was called from inside a call, or by another thread than before: the generation that it calls "
                 "stays until a later poll()");
    });
  }
  frame_boundary(const frame_boundary&) = delete;
  frame_boundary& operator=(const frame_boundary&) = delete;
  // Also when there's no memory for what is done between.
  ~frame_boundary() {
    if (stack_ == nullptr || core_.answers_.closed()) return;
    try {
      core_.answers_.with_published([&](published& at) { core_.frames_->begin(at, core_.history_.running(), stack_); });
    } catch (const std::bad_alloc&) {  // then calls through frame() throw until the next poll()
    }
  }

 private:
  engine_core& core_;
  const void* const stack_;
};

}  // namespace autoreload::detail
