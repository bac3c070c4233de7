// SPDX-License-Identifier: MIT
// sandbox_test: a host that locks itself in (seccomp) when it is already running goes on being served, or is told why
// not.
#include <gtest/gtest.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <atomic>
#include <autoreload/autoreload.hpp>
#include <cerrno>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <string>
#include <thread>

#include "in_a_child.hpp"
#include "support.hpp"

namespace {

using autoreload::event_kind;
using autoreload::event_queue;
using support::build_library;
using support::in_a_child;
using support::patience;

struct number_api {
  autoreload::required_as<"number", int()> number;
};

// From now on this system call is answered so on all threads. @return whether that could be set
bool refuse(long call, std::uint32_t answer) {
  sock_filter rules[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(call), 0, 1),
      BPF_STMT(BPF_RET | BPF_K, answer),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog filter{sizeof rules / sizeof *rules, rules};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &filter) == 0;
}

struct subject {
  support::temp_directory directory;
  std::string path = directory / "lib.so";
  event_queue events;
  autoreload::options chosen;

  subject() {
    for (const int i : {1, 2}) {
      build_library(directory / (std::to_string(i) + ".so"), "int number(void) { return " + std::to_string(i) + "; }");
    }
    std::filesystem::rename(directory / "1.so", path);
    chosen.observer = events.observer();
  }
  void next() { std::filesystem::rename(directory / "2.so", path); }
};

// A thread that calls all the time, and one that called once and sleeps.
struct callers {
  explicit callers(const autoreload::reloadable<number_api>& library)
      : busy_([&](const std::stop_token& stop) {
          while (!stop.stop_requested()) calls += library->number() > 0;
        }),
        asleep_([&](const std::stop_token& stop) {
          (void)library->number();
          called = true;
          while (!stop.stop_requested()) std::this_thread::sleep_for(std::chrono::milliseconds(5));
        }) {
    while (calls < 1000 || !called) std::this_thread::yield();
  }
  std::atomic<long> calls{0};
  std::atomic<bool> called{false};
  std::jthread busy_;
  std::jthread asleep_;
};

TEST(Sandbox, ThatRefusesMembarrierLaterIsSaidAndOldGenerationsGoAllTheSame) {
  for (const int number : {EPERM, ENOSYS}) {
    in_a_child([=]() -> std::string {
      subject it;
      const autoreload::reloadable<number_api> library(it.path, it.chosen);
      const callers running(library);
      if (!refuse(SYS_membarrier, SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(number))) return "skip: no seccomp";
      it.next();
      const auto said = it.events.next(event_kind::retained, patience);
      if (!said || said->text.find("membarrier(2) is refused") == std::string::npos) return "it was not said";
      const auto gone = it.events.next(event_kind::unloaded, patience);
      if (!gone || gone->generation != 1) return "the old generation did not leave";
      return library->number() == 2 ? "" : "the wrong one is called";
    });
  }
}

// A thread that never sleeps and is alone on its processor is not switched out by itself.
TEST(Sandbox, WithoutMembarrierAThreadThatNeverSleepsIsMadeToStop) {
  in_a_child([]() -> std::string {
    subject it;
    const autoreload::reloadable<number_api> library(it.path, it.chosen);
    std::atomic<bool> called{false};
    const std::jthread spins([&](const std::stop_token& stop) {
      (void)library->number();
      called = true;
      while (!stop.stop_requested()) continue;
    });
    while (!called) std::this_thread::yield();
    if (!refuse(SYS_membarrier, SECCOMP_RET_ERRNO | EPERM)) return "skip: no seccomp";
    it.next();
    return it.events.next(event_kind::unloaded, patience) ? "" : "the old generation did not leave";
  });
}

std::atomic<int> trapped{0};

TEST(Sandbox, ThatAnswersBySigsysReachesItsHandlerOnOurThreadToo) {
  in_a_child([]() -> std::string {
    subject it;
    const autoreload::reloadable<number_api> library(it.path, it.chosen);
    (void)library->number();
    struct sigaction action {};
    action.sa_flags = SA_SIGINFO;
    action.sa_sigaction = [](int, siginfo_t*, void* context) {
      ++trapped;
#if defined(__x86_64__)
      static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_RAX] = -ENOSYS;
#elif defined(__aarch64__)
      static_cast<ucontext_t*>(context)->uc_mcontext.regs[0] = static_cast<unsigned long long>(-ENOSYS);
#endif
    };
    sigaction(SIGSYS, &action, nullptr);
    if (!refuse(SYS_membarrier, SECCOMP_RET_TRAP)) return "skip: no seccomp";
    it.next();
    if (!it.events.next(event_kind::unloaded, patience)) return "the old generation did not leave";
    return trapped > 0 ? "" : "the handler was not asked";
  });
}

// The trial blocks all signals around the start of its helper.
TEST(Sandbox, ThatAnswersBySigsysIsAskedDuringATrialToo) {
  in_a_child([]() -> std::string {
    subject it;
    it.chosen.trial.enabled = true;
    const autoreload::reloadable<number_api> library(it.path, it.chosen);
    struct sigaction action {};
    action.sa_flags = SA_SIGINFO;
    action.sa_sigaction = [](int, siginfo_t* info, void* context) {
      ++trapped;
      const long answer = -ENOSYS;
      (void)info;
#if defined(__x86_64__)
      static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_RAX] = answer;
#elif defined(__aarch64__)
      static_cast<ucontext_t*>(context)->uc_mcontext.regs[0] = static_cast<unsigned long long>(answer);
#endif
    };
    sigaction(SIGSYS, &action, nullptr);
    if (!refuse(SYS_wait4, SECCOMP_RET_TRAP)) return "skip: no seccomp";
    it.next();
    const auto end = std::chrono::steady_clock::now() + patience;
    while (library->number() != 2 && !library.last_failure() && std::chrono::steady_clock::now() < end) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return trapped > 0 ? "" : "skip: nothing of the kind was called";
  });
}

}  // namespace
