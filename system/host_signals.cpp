// SPDX-License-Identifier: MIT
// host_signals: the signal mask under which the user's libraries are loaded and unloaded on a thread of ours.
#include "system/host_signals.hpp"

#include <utility>

namespace autoreload {
namespace {

constinit thread_local const sigset_t* served = nullptr;

}  // namespace

sigset_t signal_mask_of_this_thread() noexcept {
  sigset_t mask;
  sigemptyset(&mask);
  pthread_sigmask(SIG_SETMASK, nullptr, &mask);
  return mask;
}

void block_signals_but_faults() noexcept {
  sigset_t all;
  sigfillset(&all);
  for (const int fault : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGABRT, SIGSYS}) sigdelset(&all, fault);
  pthread_sigmask(SIG_SETMASK, &all, nullptr);
}

serving::serving(const sigset_t& mask) noexcept : before_(std::exchange(served, &mask)) {}
serving::~serving() { served = before_; }

bool is_serving() noexcept { return served != nullptr; }

hosts_signals::hosts_signals() noexcept : changed_(served != nullptr) {
  if (changed_) pthread_sigmask(SIG_SETMASK, served, &ours_);
}
hosts_signals::~hosts_signals() {
  if (changed_) pthread_sigmask(SIG_SETMASK, &ours_, nullptr);
}

}  // namespace autoreload
