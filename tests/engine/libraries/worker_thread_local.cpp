// SPDX-License-Identifier: MIT
// worker_thread_local: has a thread_local object with a destructor, which glibc runs at the end of each thread that
// touched it, and for which it keeps the library until then.
#include "stamp.h"
#include "worker.h"

namespace {
struct counted {
  uint64_t touched = 0;
  ~counted() { touched = 0; }
};
thread_local counted mine;
}  // namespace

extern "C" {
uint64_t worker_stamp() { return stamp.number; }
uint64_t worker_variant() { return 100; }
void worker_touch_thread() { ++mine.touched; }
}
