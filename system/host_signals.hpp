// SPDX-License-Identifier: MIT
// host_signals: the signal mask under which the user's libraries are loaded and unloaded on a thread of ours.
//
// Our threads block what could run the host's handlers on them. What a library's constructor starts inherits the mask:
// its children would survive SIGTERM, its threads get no signal. So the host's own mask is there while constructors and
// destructors run, and only then.
#pragma once

#include <signal.h>

namespace autoreload {

/// The mask of the calling thread.
[[nodiscard]] sigset_t signal_mask_of_this_thread() noexcept;

/// Blocks on the calling thread everything but what the thread's own instructions raise: a fault must reach the host's
/// handler, and so must SIGSYS, by which some sandboxes answer system calls (blocked, it ends the process).
void block_signals_but_faults() noexcept;

/// As long as it lives, hosts_signals on this thread means the given mask, which must live as long.
class serving {
 public:
  explicit serving(const sigset_t& mask) noexcept;
  ~serving();
  serving(const serving&) = delete;
  serving& operator=(const serving&) = delete;

 private:
  const sigset_t* before_;
};

/// Whether the calling thread is one of ours that serves a host now.
[[nodiscard]] bool is_serving() noexcept;

/// As long as it lives, the thread has the host's mask. Nothing on a thread that serves nobody: that is the host's own.
class hosts_signals {
 public:
  hosts_signals() noexcept;
  ~hosts_signals();
  hosts_signals(const hosts_signals&) = delete;
  hosts_signals& operator=(const hosts_signals&) = delete;

 private:
  sigset_t ours_;
  bool changed_;
};

}  // namespace autoreload
