// SPDX-License-Identifier: MIT
// alternate_stack: a stack for signal handlers in each thread that makes guarded calls, for when its own is used up.
#include "recover/alternate_stack.hpp"

#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <new>

namespace autoreload {
namespace {

constexpr std::size_t enough = std::size_t{32} * 1024;  // the kernel's frame takes 4 KB and more, unwinding 8
constexpr std::size_t size = std::size_t{64} * 1024;

struct lent_stack {
  std::atomic<pid_t> thread;
  void* memory;
  lent_stack* next;
};

constinit std::atomic<lent_stack*> all{nullptr};
constinit thread_local bool looked = false;
constinit thread_local lent_stack* mine = nullptr;

pid_t this_thread_number() noexcept { return static_cast<pid_t>(::syscall(SYS_gettid)); }

bool has_ended(pid_t thread) noexcept { return ::syscall(SYS_tgkill, ::getpid(), thread, 0) != 0 && errno == ESRCH; }

// One whose thread has ended, or had this thread's number before it.
lent_stack* take_one_over(pid_t self) noexcept {
  for (lent_stack* one = all.load(std::memory_order_acquire); one != nullptr; one = one->next) {
    pid_t owner = one->thread.load(std::memory_order_relaxed);
    if (owner != self && !has_ended(owner)) continue;
    if (one->thread.compare_exchange_strong(owner, self, std::memory_order_acq_rel)) return one;
  }
  return nullptr;
}

lent_stack* make_one(pid_t self) noexcept {
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  void* const memory = ::mmap(nullptr, size + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return nullptr;
  auto* const made = new (std::nothrow) lent_stack{{self}, static_cast<char*>(memory) + page, nullptr};
  if (made == nullptr || ::mprotect(memory, page, PROT_NONE) != 0) {
    delete made;
    ::munmap(memory, size + page);
    return nullptr;
  }
  made->next = all.load(std::memory_order_relaxed);
  while (!all.compare_exchange_weak(made->next, made, std::memory_order_release, std::memory_order_relaxed)) continue;
  return made;
}

// By itself, as are the other first times of a call: what they need is not to be set up at each.
[[gnu::noinline]] bool look() noexcept {
  [[maybe_unused]] static const int registered = ::pthread_atfork(nullptr, nullptr, [] {
    if (mine != nullptr) mine->thread.store(this_thread_number(), std::memory_order_relaxed);
  });
  stack_t now{};
  if (::sigaltstack(nullptr, &now) != 0) return false;
  if ((now.ss_flags & SS_ONSTACK) != 0) return true;  // on it right now: it can't be changed
  if ((now.ss_flags & SS_DISABLE) == 0 && now.ss_size >= enough) return true;
  const pid_t self = this_thread_number();
  mine = take_one_over(self);
  if (mine == nullptr) mine = make_one(self);
  if (mine == nullptr) return false;
  const stack_t ours{mine->memory, 0, size};
  return ::sigaltstack(&ours, nullptr) == 0;
}

}  // namespace

bool have_alternate_stack() noexcept {
  if (!looked) looked = look();
  return looked;
}

}  // namespace autoreload
