// SPDX-License-Identifier: MIT
// placement: who runs on which processor, so that a wake-up takes one time and not one of two.
//
// A caller that never stops calling keeps a processor busy. A thread that a file's event wakes is put where it slept
// last, or on the waker's processor, which is the busy one when the caller renames the file itself: then it waits for a
// time slice. On an idle one it waits until that one has woken up, which for a virtual processor means its host. So
// some samples have the one wait and some the other, and a median jumps between the two from run to run.
#pragma once

#include <sched.h>

#include <cstddef>
#include <string>

namespace bench {

/// Keeps the measuring thread on one processor and the threads that series make on another. Used by one thread.
class placement {
 public:
  /// @param wanted  false: the scheduler does what it does otherwise
  explicit placement(bool wanted) {
    cpu_set_t allowed;
    if (!wanted || sched_getaffinity(0, sizeof allowed, &allowed) != 0) return;
    for (int one = 0; one != CPU_SETSIZE && others_ < 0; ++one) {
      if (CPU_ISSET(static_cast<std::size_t>(one), &allowed)) (caller_ < 0 ? caller_ : others_) = one;
    }
  }

  /// Runs what makes threads: they inherit where it runs.
  template <class Make>
  void make_threads(Make make) const {
    go_to(others_);
    make();
    go_to(caller_);
  }

  /// For people.
  [[nodiscard]] std::string text() const {
    if (others_ < 0) return "the scheduler's";
    return "the caller on processor " + std::to_string(caller_) + ", other threads on " + std::to_string(others_);
  }

 private:
  void go_to(int processor) const {
    if (others_ < 0) return;  // there is only one
    cpu_set_t there;
    CPU_ZERO(&there);
    CPU_SET(static_cast<std::size_t>(processor), &there);
    sched_setaffinity(0, sizeof there, &there);
  }

  int caller_ = -1;
  int others_ = -1;
};

}  // namespace bench
