// SPDX-License-Identifier: MIT
// at_work: a thread that works on an engine.
#pragma once

#include "reload/engine_core.hpp"

namespace autoreload::detail {

// Holds work_. Meanwhile the service has nothing to wait for here.
class engine_core::at_work {
 public:
  at_work(engine_core& core, work_lock::how acquire) : core_(core), lock_(core.work_, acquire) {
    if (lock_.held()) core_.schedule_.set_deadline(never);
  }
  at_work(const at_work&) = delete;
  at_work& operator=(const at_work&) = delete;
  ~at_work() {
    if (lock_.held()) core_.set_deadline();
  }
  const work_lock* operator->() const noexcept { return &lock_; }

 private:
  engine_core& core_;
  work_lock lock_;
};

}  // namespace autoreload::detail
