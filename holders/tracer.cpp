// SPDX-License-Identifier: MIT
// tracer: the child that stops threads, and the start of it.
#include "holders/tracer.hpp"

#include <elf.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <new>

#include "holders/mappings.hpp"
#include "holders/restarted_call.hpp"
#include "system/aside.hpp"
#include "system/own_memory.hpp"
#include "system/traceable.hpp"

namespace autoreload::holding {
namespace {

constexpr int longest_job = 5;                   // seconds, for all threads
constexpr std::int64_t longest_stop = 50000000;  // nanoseconds, for one

std::int64_t nanoseconds_now() noexcept {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return std::int64_t{now.tv_sec} * 1000000000 + now.tv_nsec;
}

// @return whether the thread stopped; its status then is in `status`
bool wait_for_stop(pid_t thread, int& status, traced_thread& into) noexcept {
  const std::int64_t deadline = nanoseconds_now() + longest_stop;
  for (unsigned round = 0;; ++round) {
    const pid_t got = ::waitpid(thread, &status, __WALL | WNOHANG);
    if (got == thread) {
      if (WIFSTOPPED(status)) return true;
      into.came = outcome::gone;
      return false;
    }
    if (got < 0) {
      into.came = outcome::gone;
      return false;
    }
    if (nanoseconds_now() > deadline) {  // when this process ends, the thread goes on
      into.came = outcome::late;
      return false;
    }
    if (round < 50) {
      ::sched_yield();
    } else {
      const timespec moment{0, 20000};
      ::nanosleep(&moment, nullptr);
    }
  }
}

#if defined(__x86_64__)
static_assert(offsetof(user_regs_struct, rip) == program_counter_register * sizeof(std::uint64_t));
using register_set = user_regs_struct;
std::uintptr_t stack_pointer_of(const register_set& all) noexcept { return all.rsp; }
std::uintptr_t thread_pointer_of(const register_set& all) noexcept { return all.fs_base; }
constexpr std::uintptr_t red_zone = 128;

// A system call that was interrupted and does not go on by itself: as if it did. With a handler to run it still answers
// EINTR. Only those that have done nothing when they answer that, and wait without a limit (threads.cpp).
bool begin_again(register_set& all) noexcept {
  constexpr auto no_handler = -514;  // the kernel's ERESTARTNOHAND
  if (static_cast<std::int64_t>(all.rax) != -EINTR) return false;
  if (!can_begin_again(static_cast<long>(all.orig_rax))) return false;
  all.rax = static_cast<unsigned long long>(no_handler);
  return true;
}
#elif defined(__aarch64__)
using register_set = user_regs_struct;
std::uintptr_t stack_pointer_of(const register_set& all) noexcept { return all.sp; }
std::uintptr_t thread_pointer_of(const register_set&) noexcept { return 0; }
constexpr std::uintptr_t red_zone = 0;
bool begin_again(register_set&) noexcept { return false; }
#endif

void note(tracing_job& job, pid_t thread, const word_found& word) noexcept {
  if (!word.code && !job.data_too) return;
  if (job.found_count == tracing_job::most_found) {
    ++job.lost;
  } else {
    job.found[job.found_count++] = {thread, word};
  }
}

void scan_registers(tracing_job& job, const traced_thread& one) noexcept {
  scan_words(one.registers.data(), one.register_count, 0, job.what,
             [&](const word_found& word) { note(job, one.thread, word); });
}

void look_at_stopped(tracing_job& job, traced_thread& one) noexcept {
  register_set all{};
  iovec into{&all, sizeof all};
  if (::ptrace(PTRACE_GETREGSET, one.thread, NT_PRSTATUS, &into) != 0) {
    one.came = outcome::gone;
    return;
  }
  if (begin_again(all)) ::ptrace(PTRACE_SETREGSET, one.thread, NT_PRSTATUS, &into);
  one.register_count = std::min(one.registers.size(), sizeof all / sizeof(std::uint64_t));
  __builtin_memcpy(one.registers.data(), &all, one.register_count * sizeof(std::uint64_t));
  one.stack_pointer = stack_pointer_of(all);
  one.thread_pointer = thread_pointer_of(all);
  one.stack_end = end_of_stack(job.stacks, one.stack_pointer);
  one.came = outcome::seen;
  if (job.visit != nullptr) return job.visit(job.context, one);
  scan_registers(job, one);
  scan_stack(job, one.thread, {one.stack_pointer - red_zone, one.stack_end});
}

void trace_one(tracing_job& job, traced_thread& one) noexcept {
  if (::ptrace(PTRACE_SEIZE, one.thread, nullptr, nullptr) != 0) {
    one.error = errno;
    one.came = errno == ESRCH ? outcome::gone : outcome::refused;
    return;
  }
  int status = 0;
  if (::ptrace(PTRACE_INTERRUPT, one.thread, nullptr, nullptr) != 0 || !wait_for_stop(one.thread, status, one)) {
    if (one.came == outcome::untried) one.came = outcome::gone;
    return;
  }
  look_at_stopped(job, one);
  // It may have been stopped by a signal that is on its way: then that is to be delivered.
  const bool by_signal = status >> 16 == 0;
  const long signal_number = by_signal ? WSTOPSIG(status) : 0;
  ::ptrace(PTRACE_DETACH, one.thread, nullptr, reinterpret_cast<void*>(signal_number));
}

void trace_all(void* argument) noexcept {
  tracing_job& job = *static_cast<tracing_job*>(argument);
  const rlimit no_dump{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_dump);
  end_by_any_fault(longest_job);
  for (std::size_t i = 0; i < job.thread_count; ++i) trace_one(job, job.threads[i]);
}

}  // namespace

std::uintptr_t end_of_stack(std::span<const memory_range> stacks, std::uintptr_t pointer) noexcept {
  const auto next = std::upper_bound(stacks.begin(), stacks.end(), pointer,
                                     [](std::uintptr_t at, const memory_range& one) { return at < one.begin; });
  if (next == stacks.begin() || std::prev(next)->end <= pointer) return pointer;
  return std::min(std::prev(next)->end, pointer + deepest_stack);
}

void scan_stack(tracing_job& job, pid_t thread, memory_range where) noexcept {
  where.begin &= ~std::uintptr_t{7};
  while (where.begin < where.end) {
    const std::size_t wanted = std::min(where.end - where.begin, sizeof job.buffer);
    const std::size_t got = copy_memory(where.begin, job.buffer.data(), wanted);
    scan_words(job.buffer.data(), got / sizeof(std::uint64_t), where.begin, job.what,
               [&](const word_found& word) { note(job, thread, word); });
    if (got < wanted) return;
    where.begin += got;
  }
}

void unmap_job::operator()(tracing_job* job) const noexcept { ::munmap(job, sizeof *job); }

shared_job make_tracing_job(const target& of) {
  void* const memory = ::mmap(nullptr, sizeof(tracing_job), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  return shared_job(new (memory) tracing_job(of));
}

int trace_threads(tracing_job& job) noexcept {
  const undisturbed no_signals;
  const traceable by_a_child;
  const pid_t child = run_aside(&trace_all, &job, 0);
  int status = 0;
  while (child > 0 && ::waitpid(child, &status, __WALL) < 0 && errno == EINTR) {
  }
  return child > 0 ? 0 : -child;
}

}  // namespace autoreload::holding
