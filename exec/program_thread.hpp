// SPDX-License-Identifier: MIT
// program_thread: a thread that shares the program's descriptors, for what the library's own code does at its start.
//
// The agent's other threads have a table of descriptors of their own, so that the program's numbers stay as they would
// be without it. But what a constructor opens is the program's.
//
// SHARED  one piece of work and whether it is done, under a mutex.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>

namespace autoreload::exec {

class program_thread {
 public:
  /// Starts it, with the caller's table of descriptors and all signals blocked. It never ends.
  /// @return whether the system granted one
  bool start();
  /// Runs something there, and waits for its end. Any thread but that one; one after the other. What it throws is
  /// lost: it must not.
  void run(const std::function<void()>& work);

 private:
  static void* loop(void* self);

  std::mutex callers_;
  std::mutex mutex_;
  std::condition_variable moved_;
  const std::function<void()>* work_ = nullptr;
  bool started_ = false;
};

/// Starts a thread with all signals blocked: the program's handlers never run there.
bool start_thread(void* (*run)(void*), void* argument);

}  // namespace autoreload::exec
