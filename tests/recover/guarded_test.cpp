// SPDX-License-Identifier: MIT
// guarded_test: calls of a library that really crashes. What is promised to be survived is survived; where leaving is
// not known to be safe, the process dies as without a guard, in a child each time.
#include <fcntl.h>
#include <fenv.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <functional>
#include <thread>
#include <vector>

#include <autoreload/crash_report.hpp>

#include "faulty_support.hpp"

using autoreload::event_kind;
using autoreload::stage;
using support::faulty_api;
using support::line_of;
using support::says;

namespace {

class Guarded : public support::FaultyTest {};

// The signal by which a child ends that does this, or -1 when it comes back. Its standard error is in `text`.
int signal_of(const std::function<void()>& story, std::string* text = nullptr) {
  int pipe[2];
  EXPECT_EQ(::pipe(pipe), 0);
  const pid_t child = fork();
  if (child == 0) {
    dup2(pipe[1], STDERR_FILENO);
    dup2(pipe[1], STDOUT_FILENO);
    alarm(60);
    story();
    _exit(0);
  }
  close(pipe[1]);
  char buffer[512];
  for (ssize_t got = 0; (got = read(pipe[0], buffer, sizeof buffer)) > 0;) {
    if (text != nullptr) text->append(buffer, static_cast<std::size_t>(got));
  }
  close(pipe[0]);
  int status = 0;
  waitpid(child, &status, 0);
  return WIFSIGNALED(status) ? WTERMSIG(status) : -1;
}

#define EXPECT_ENDED(made, words, place)                       \
  do {                                                         \
    const auto ended = made;                                   \
    ASSERT_FALSE(ended);                                       \
    EXPECT_EQ(ended.error().at(), stage::call);                \
    EXPECT_TRUE(says(ended.error().reason(), words));          \
    EXPECT_TRUE(says(ended.error().reason(), line_of(place))); \
  } while (false)

TEST_F(Guarded, ACallThatComesBackIsLikeAnyOther) {
  EXPECT_EQ(*lib().guarded<&faulty_api::stamp>(), 1U);
  EXPECT_EQ(*lib().guarded<&faulty_api::add>(2, 3), 5);
  const short narrow = 4;
  EXPECT_EQ(*lib().guarded<&faulty_api::add>(narrow, narrow), 8) << "arguments are converted";
  EXPECT_EQ(*lib().guarded<&faulty_api::mixed>(1, 2.5, ::wide{{0, 0, 0, 0, 3}}, "four"), 10.5);
  EXPECT_EQ(lib().guarded<&faulty_api::wide>(1.5)->numbers[4], 1.5);
  EXPECT_EQ(*lib().guarded<&faulty_api::sum>(3, 1, 2, 3), 6);
  EXPECT_TRUE(lib().guarded<&faulty_api::nothing>());
}

TEST_F(Guarded, WhatIsNotThereIsAnError) {
  const auto absent = lib().guarded<&faulty_api::extra>();
  ASSERT_FALSE(absent);
  EXPECT_EQ(absent.error().reason(), "faulty_extra was called, which this generation lacks");
  autoreload::reloadable<faulty_api> nothing(directory_ / "nothing.so", chosen());
  const auto unloaded = nothing.guarded<&faulty_api::stamp>();
  ASSERT_FALSE(unloaded);
  EXPECT_EQ(unloaded.error().reason(), "no generation is loaded yet");
}

TEST_F(Guarded, ANullPointerEndsTheCallAndNamesItsLine) {
  EXPECT_ENDED(lib().guarded<&faulty_api::write_null>(1), "SIGSEGV in generation 1: hidden_writer+0x", "hidden_writer");
  const auto again = lib().guarded<&faulty_api::write_null>(1);
  EXPECT_TRUE(says(again.error().reason(), ") used address 0x0"));
  EXPECT_EQ(*lib().guarded<&faulty_api::add>(2, 3), 5) << "there is no other generation: it goes on";
}

TEST_F(Guarded, EverySignalOfTheLibrarysOwnCode) {
#if defined(__x86_64__)  // elsewhere every address is told, the compiler's trap is another, and x / 0 is 0
  EXPECT_ENDED(lib().guarded<&faulty_api::trap>(1), "SIGTRAP in generation 1: faulty_trap", "trap");
  EXPECT_ENDED(lib().guarded<&faulty_api::far_address>(), "an address that no process can have", "far_address");
  EXPECT_ENDED(lib().guarded<&faulty_api::undefined>(1), "SIGILL in generation 1: faulty_undefined", "undefined");
  EXPECT_ENDED(lib().guarded<&faulty_api::divide>(1), "SIGFPE in generation 1: faulty_divide", "divide");
#else
  EXPECT_ENDED(lib().guarded<&faulty_api::trap>(1), "SIGTRAP in generation 1: faulty_trap", "break");
#endif
  const std::string path = directory_ / "short";
  support::write_file(path, "");
  const int file = open(path.c_str(), O_RDONLY);
  void* const past = mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE, file, 0);
  EXPECT_ENDED(lib().guarded<&faulty_api::past_the_file>(static_cast<const char*>(past)),
               "SIGBUS in generation 1: faulty_past_the_file", "past_the_file");
  munmap(past, 4096);
  close(file);
}

TEST_F(Guarded, AnEndlessRecursion) {
  const auto recurse = [&] {
    const auto ended = lib().guarded<&faulty_api::recurses>(0);
    ASSERT_FALSE(ended);
    EXPECT_TRUE(says(ended.error().reason(), "SIGSEGV in generation 1: faulty_recurses+0x"));
    EXPECT_TRUE(says(ended.error().reason(), "at the end of its stack: most likely an endless recursion"));
  };
  recurse();
  std::thread([&] {
    for (int i = 0; i < 3; ++i) recurse();
  }).join();
}

TEST_F(Guarded, ACallOfNowhere) {
  EXPECT_ENDED(lib().guarded<&faulty_api::calls_null>(), "called 0x0, where there is no function", "calls_null");
}

#ifdef __GLIBC__
TEST_F(Guarded, FunctionsOfLibcThatHoldNoLock) {
  EXPECT_ENDED(lib().guarded<&faulty_api::measures_null>(), "gave libc address 0x0", "measures_null");
  // Each size may go another way in memcpy.
  std::vector<char> from(1 << 20);
  for (const std::size_t size : {1U, 8U, 30U, 70U, 200U, 1000U, 5000U, 100000U, 1U << 20}) {
    const auto ended = lib().guarded<&faulty_api::copies>(nullptr, from.data(), size);
    ASSERT_FALSE(ended) << size;
    EXPECT_TRUE(says(ended.error().reason(), "SIGSEGV in generation 1: faulty_copies")) << size;
  }
}

TEST_F(Guarded, AnAbortAndAFailedAssertion) {
  EXPECT_ENDED(lib().guarded<&faulty_api::gives_up>(1), "SIGABRT in generation 1: faulty_gives_up", "gives_up");
  EXPECT_ENDED(lib().guarded<&faulty_api::raises>(SIGABRT), "SIGABRT in generation 1: faulty_raises", "raises");
  testing::internal::CaptureStderr();
  const auto ended = lib().guarded<&faulty_api::asserts>(1);
  EXPECT_TRUE(says(testing::internal::GetCapturedStderr(), "value == zero"));
  ASSERT_FALSE(ended);
  EXPECT_TRUE(says(ended.error().reason(), "SIGABRT in generation 1: faulty_asserts"));
  EXPECT_TRUE(says(ended.error().reason(), line_of("asserts")));
}
#endif

TEST_F(Guarded, TheCallerFindsItsRegistersAndRoundingAsTheyWere) {
  const int rounding = fegetround();
  volatile double three = 3;
  const double third = 1 / three;
  for (int i = 0; i < 3; ++i) {
    ASSERT_FALSE(lib().guarded<&faulty_api::spoils_the_state>());
    EXPECT_EQ(fegetround(), rounding);
    EXPECT_EQ(1 / three, third);
    EXPECT_EQ(static_cast<long double>(1) / 4, 0.25L) << "the stack of the x87 is empty again";
    EXPECT_EQ(fetestexcept(FE_ALL_EXCEPT) & FE_DIVBYZERO, 0);
  }
  sigset_t mask;
  pthread_sigmask(SIG_BLOCK, nullptr, &mask);
  EXPECT_EQ(sigismember(&mask, SIGSEGV), 0);
}

TEST_F(Guarded, TheLastGoodGenerationRunsTheNextCall) {
  build(2);
  build(3);
  const auto ended = lib().guarded<&faulty_api::write_null>(1);
  ASSERT_FALSE(ended);
  EXPECT_EQ(*lib().guarded<&faulty_api::stamp>(), 2U);
  lib().poll();
  const auto told = events_.next(event_kind::quarantined, support::patience);
  ASSERT_TRUE(told);
  EXPECT_EQ(told->generation, 3U);
  EXPECT_EQ(told->failure->reason(), ended.error().reason());
  EXPECT_EQ(events_.next(event_kind::activated, support::patience)->text,
            "generation 3 is quarantined: generation 2 runs again, as generation 4");
  const auto all = lib().history();
  ASSERT_GE(all.size(), 2U);
  EXPECT_EQ(all[1].number, 3U);
  EXPECT_EQ(all[1].state, autoreload::generation_state::quarantined);
}

TEST_F(Guarded, WhatCrashedIsNeverLoadedAgainUntilItChanges) {
  build(2);
  ASSERT_FALSE(lib().guarded<&faulty_api::write_null>(1));
  EXPECT_EQ(lib()->stamp(), 1U);
  lib().poll();
  EXPECT_EQ(lib()->stamp(), 1U);
  EXPECT_TRUE(says(lib().last_failure()->reason(), "SIGSEGV in generation 2"));
  const auto asked = lib().reload();
  ASSERT_FALSE(asked) << "not on request either";
  EXPECT_TRUE(says(asked.error().reason(), "SIGSEGV in generation 2"));
  EXPECT_EQ(lib().activate(2).error().reason(), "generation 2 is quarantined");
  build(3);
  EXPECT_EQ(lib()->stamp(), 3U);
  build(2);
  EXPECT_EQ(lib()->stamp(), 3U) << "nor when it comes back";
}

TEST_F(Guarded, ItGoesBackPastBuildsThatAreKnownToBeBad) {
  build(2);
  ASSERT_TRUE(lib().reload());  // the same once more
  lib().poll();
  ASSERT_EQ(lib()->stamp(), 2U);
  ASSERT_FALSE(lib().guarded<&faulty_api::write_null>(1));
  EXPECT_EQ(lib()->stamp(), 1U) << "generation 2 has the contents of generation 3";
}

TEST_F(Guarded, AHostCallbackThatLiesBetweenEndsTheRecovery) {
  struct owner {
    ~owner() { _exit(7); }  // must not be run, nor skipped
  };
  (void)lib().guarded<&faulty_api::stamp>();
  const auto inner = [](void* self) -> int {
    const owner mine;
    auto& lib = *static_cast<support::faulty_library*>(self);
    return lib->write_null(1);
  };
  EXPECT_EQ(signal_of([&] { (void)lib().guarded<&faulty_api::calls_back>(inner, &lib()); }), SIGSEGV);
  const auto own = [](void*) -> int {
    std::raise(SIGSEGV);
    return *static_cast<volatile int*>(nullptr);
  };
  EXPECT_EQ(signal_of([&] { (void)lib().guarded<&faulty_api::calls_back>(+own, nullptr); }), SIGSEGV)
      << "the host's own crash";
  EXPECT_EQ(signal_of([&] { (void)lib()->write_null(1); }), SIGSEGV) << "nobody guards it";
}

TEST_F(Guarded, ACallbackThatHasReturnedDoesNot) {
  int calls = 0;
  const auto count = [](void* into) -> int { return ++*static_cast<int*>(into); };
  EXPECT_ENDED(lib().guarded<&faulty_api::crashes_after>(count, &calls), "hidden_writer", "hidden_writer");
  EXPECT_EQ(calls, 1);
}

TEST_F(Guarded, AGuardedCallInACallbackIsItsOwn) {
  struct both {
    support::faulty_library* lib;
    std::string inner;
  } here{&lib(), ""};
  const auto outer = lib().guarded<&faulty_api::calls_back>(
      [](void* self) -> int {
        auto& both = *static_cast<struct both*>(self);
        const auto ended = both.lib->guarded<&faulty_api::write_null>(1);
        both.inner = ended ? "came back" : ended.error().reason();
        return 41;
      },
      &here);
  EXPECT_TRUE(says(here.inner, "SIGSEGV in generation 1"));
  ASSERT_TRUE(outer);
  EXPECT_EQ(*outer, 42);
  EXPECT_ENDED(lib().guarded<&faulty_api::write_null>(1), "hidden_writer", "hidden_writer");
}

TEST_F(Guarded, AnExceptionOfACallbackPasses) {
  for (int i = 0; i < 2; ++i) {
    EXPECT_THROW((void)lib().guarded<&faulty_api::calls_back>([](void*) -> int { throw 7; }, nullptr), int);
    EXPECT_ENDED(lib().guarded<&faulty_api::write_null>(1), "hidden_writer", "hidden_writer");
  }
}

TEST_F(Guarded, InsideMallocTheProcessDiesAsEver) {
  (void)lib().guarded<&faulty_api::stamp>();
  EXPECT_EQ(signal_of([&] { (void)lib().guarded<&faulty_api::in_malloc>(); }), SIGABRT);
  EXPECT_EQ(signal_of([&] { (void)lib().guarded<&faulty_api::in_stdio>(); }), SIGSEGV);
}

// As debuggers and libraries spell a failed check.
void stop_here() {
#if defined(__x86_64__)
  asm volatile("int3");
#else
  asm volatile("brk #0");
#endif
}

TEST_F(Guarded, ABreakpointOfTheHostsOwnEndsItAsEver) {
  (void)lib().guarded<&faulty_api::stamp>();
  EXPECT_EQ(signal_of(stop_here), SIGTRAP) << "it went on behind the check";
}

TEST_F(Guarded, AnotherProcesssSignalIsNobodysFault) {
  (void)lib().guarded<&faulty_api::stamp>();
  EXPECT_EQ(signal_of([&] {
              const pid_t victim = getpid();
              if (fork() == 0) {
                usleep(50000);
                kill(victim, SIGABRT);
                _exit(0);
              }
              (void)lib().guarded<&faulty_api::loops>(1);
            }),
            SIGABRT);
}

TEST_F(Guarded, WhoeverWasThereBeforeIsAskedOtherwise) {
  std::string text;
  EXPECT_EQ(signal_of(
                [&] {
                  struct sigaction own {};
                  own.sa_handler = [](int) {
                    [[maybe_unused]] const auto written = write(STDERR_FILENO, "the host's", 10);
                    _exit(0);
                  };
                  sigaction(SIGSEGV, &own, nullptr);
                  autoreload::reloadable<faulty_api> fresh(path_, chosen());
                  if (fresh.guarded<&faulty_api::write_null>(1)) _exit(3);
                  (void)fresh->write_null(1);
                },
                &text),
            -1);
  EXPECT_EQ(text, "the host's");
}

TEST_F(Guarded, WithACrashReportOnTopBothAreHeard) {
  std::string text;
  EXPECT_EQ(signal_of(
                [&] {
                  (void)lib().guarded<&faulty_api::stamp>();
                  const auto reports = autoreload::install_crash_report().value();
                  if (lib().guarded<&faulty_api::write_null>(1)) _exit(3);
                  [[maybe_unused]] const auto written = write(STDERR_FILENO, "alive\n", 6);
                },
                &text),
            -1);
  EXPECT_TRUE(says(text, "autoreload: SIGSEGV in generation 1 of"));
  EXPECT_TRUE(says(text, "alive\n"));
}

TEST_F(Guarded, AForkedChildIsGuardedToo) {
  (void)lib().guarded<&faulty_api::stamp>();
  EXPECT_EQ(signal_of([&] {
              const auto ended = lib().guarded<&faulty_api::recurses>(1);
              if (ended) abort();
              std::thread([&] {
                if (lib().guarded<&faulty_api::recurses>(1)) abort();
              }).join();
              if (lib().guarded<&faulty_api::recurses>(1)) abort();
            }),
            -1);
}

TEST_F(Guarded, ManyThreadsCrashAtOnce) {
  build(2);
  constexpr int count = 8;
  std::atomic<int> ready{0};
  std::atomic<int> ended{0};
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < count; ++i) {
      threads.emplace_back([&] {
        ++ready;
        while (ready < count) std::this_thread::yield();
        const auto answer = lib().guarded<&faulty_api::write_null>(1);
        if (!answer && answer.error().reason().find("hidden_writer") != std::string::npos) ++ended;
      });
    }
  }
  EXPECT_EQ(ended, count);
  EXPECT_NE(lib()->stamp(), 2U);
}

TEST_F(Guarded, ThreadsThatComeAndGoShareTheirSignalStacks) {
  const auto mappings = [] {
    const std::string maps = support::read_file("/proc/self/maps");
    return std::count(maps.begin(), maps.end(), '\n');
  };
  const auto call = [&] { (void)lib().guarded<&faulty_api::stamp>(); };
  for (int i = 0; i < 10; ++i) std::thread(call).join();
  const auto before = mappings();
  for (int i = 0; i < 100; ++i) std::thread(call).join();
  EXPECT_LE(mappings(), before + 4);
}

TEST_F(Guarded, ProbationEndsWithGuardedCallsThatComeBack) {
  autoreload::options options = chosen();
  options.probation.calls = 3;
  lib_.emplace(path_, options);
  build(2);
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(lib().guarded<&faulty_api::stamp>());
  lib().poll();
  EXPECT_FALSE(events_.next(event_kind::approved, std::chrono::milliseconds(0)));
  ASSERT_TRUE(lib().guarded<&faulty_api::stamp>());
  lib().poll();
  const auto approved = events_.next(event_kind::approved, support::patience);
  ASSERT_TRUE(approved);
  EXPECT_EQ(approved->text, "3 guarded calls came back from it");
  build(3);
  ASSERT_FALSE(lib().guarded<&faulty_api::write_null>(1));
  EXPECT_EQ(lib().generation(), 2U) << "it was still loaded";
}

}  // namespace
