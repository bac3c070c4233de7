// SPDX-License-Identifier: MIT
// earlier_action: what was to be done about a signal before a handler of ours took its place, and doing it.
#include "system/earlier_action.hpp"

#include <sys/syscall.h>
#include <unistd.h>

namespace autoreload {

bool earlier_action::replace(int number, handler ours) noexcept {
  if (installed_) return true;
  struct sigaction now {};
  if (::sigaction(number, nullptr, &now) != 0) return false;
  action_ = now;
  spent_.store(false, std::memory_order_relaxed);
  struct sigaction next {};
  next.sa_sigaction = ours;
  next.sa_mask = now.sa_mask;
  next.sa_flags = SA_SIGINFO | SA_ONSTACK | (now.sa_flags & (SA_NODEFER | SA_RESTART));
  installed_ = ::sigaction(number, &next, nullptr) == 0;
  return installed_;
}

void earlier_action::restore(int number, handler ours) noexcept {
  struct sigaction now {};
  if (!installed_ || ::sigaction(number, nullptr, &now) != 0) return;
  const bool on_top = (now.sa_flags & SA_SIGINFO) != 0 && now.sa_sigaction == ours;
  if (on_top) installed_ = ::sigaction(number, &action_, nullptr) != 0;
}

void earlier_action::pass_on(int number, siginfo_t* info, void* context, bool is_fault) noexcept {
  const bool once = (static_cast<unsigned>(action_.sa_flags) & static_cast<unsigned>(SA_RESETHAND)) != 0;
  const bool spent = once && spent_.exchange(true, std::memory_order_relaxed);
  const bool informed = (action_.sa_flags & SA_SIGINFO) != 0;
  if (!spent && informed) return action_.sa_sigaction(number, info, context);
  if (!spent && action_.sa_handler == SIG_IGN && !is_fault) return;
  if (!spent && action_.sa_handler != SIG_DFL && action_.sa_handler != SIG_IGN) return action_.sa_handler(number);
  // A fault happens again as soon as the handler returns, and then meets the default action. A signal that was sent
  // does not, and is sent again, to be delivered when the handler has returned.
  struct sigaction standard {};
  standard.sa_handler = SIG_DFL;
  ::sigaction(number, &standard, nullptr);
  if (!is_fault) ::syscall(SYS_rt_tgsigqueueinfo, ::getpid(), ::syscall(SYS_gettid), number, info);
}

}  // namespace autoreload
