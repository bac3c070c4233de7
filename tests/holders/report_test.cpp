// SPDX-License-Identifier: MIT
// report_test: what a search answers where it is hindered, and what the engine makes of it.
#include <dlfcn.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <vector>

#include "holders/mappings.hpp"
#include "story.hpp"
#include "tests/in_a_child.hpp"

int (*kept)();  // of the host

namespace {

using autoreload::holder_report;
using autoreload::who_holds;
using story::stage;
using support::in_a_child;

// From now on this system call fails so on all threads.
bool forbid(long call, std::uint32_t error) {
  sock_filter rules[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(call), 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog filter{sizeof rules / sizeof *rules, rules};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &filter) == 0;
}

std::string words_of(const holder_report& report) {
  std::string text;
  for (const autoreload::holder& one : report.holders) text += one.text + "\n";
  return text + (report.unseen.empty() ? "" : "unseen: " + report.unseen);
}

// A library that dlopen has loaded, of which nobody else knows.
class loaded {
 public:
  explicit loaded(const std::string& source, const std::string& flags = "") {
    support::build_library(directory_ / "lib.so", source, flags);
    handle_ = dlopen((directory_ / "lib.so").c_str(), RTLD_NOW);
    if (handle_ == nullptr) throw std::runtime_error(dlerror());
  }
  template <class T>
  [[nodiscard]] T* find(const char* name) const {
    return reinterpret_cast<T*>(dlsym(handle_, name));
  }
  [[nodiscard]] autoreload::held_image image() const { return *autoreload::image_at(dlsym(handle_, "number")); }

 private:
  support::temp_directory directory_;
  void* handle_;
};

constexpr const char* with_a_thread = R"(
#include <pthread.h>
#include <time.h>
volatile int quit, runs;
static pthread_t thread;
static void *work(void *x) {
  while (!quit) { struct timespec t = {0, 1000000}; if (!runs) nanosleep(&t, 0); }
  return x;
}
int number(void) { return 1; }
void start(int busy) { runs = busy; pthread_create(&thread, 0, work, 0); }
void stop(void) { quit = 1; pthread_join(thread, 0); }
)";

TEST(Report, AnImageIsFoundByAnyOfItsAddresses) {
  const loaded library("int number(void) { return 1; } int data = 1;");
  const auto by_code = autoreload::image_at(library.find<void>("number"));
  const auto by_data = autoreload::image_at(library.find<void>("data"));
  ASSERT_TRUE(by_code && by_data);
  EXPECT_EQ(by_code->base, by_data->base);
  EXPECT_FALSE(autoreload::image_at(std::make_unique<int>(1).get()));
}

TEST(Report, PinsFindNobodyAndThreadsFindNoVariables) {
  const loaded library("int number(void) { return 1; }");
  kept = library.find<int()>("number");
  EXPECT_EQ(words_of(who_holds(library.image(), autoreload::unload_policy::pins)), "");
  const holder_report all = who_holds(library.image(), autoreload::unload_policy::all);
  ASSERT_FALSE(all.holders.empty());
  EXPECT_EQ(all.holders.front().kind, autoreload::holder_kind::variable) << words_of(all);
  EXPECT_EQ(all.holders.front().at, reinterpret_cast<std::uintptr_t>(&kept));
  EXPECT_NE(all.holders.front().text.find("kept"), std::string::npos) << words_of(all);
  kept = nullptr;
}

TEST(Report, ASearchThatIsCancelledIsNotComplete) {
  const loaded library("int number(void) { return 1; }");
  const std::atomic<bool> cancelled{true};
  EXPECT_FALSE(who_holds(library.image(), autoreload::unload_policy::all, &cancelled).complete());
}

TEST(Report, WhereNothingMayBeTracedWhoSleepsIsSeenAndWhoRunsIsSaid) {
  for (const bool busy : {false, true}) {
    in_a_child([busy]() -> std::string {
      const loaded library(with_a_thread, "-pthread");
      library.find<void(int)>("start")(busy ? 1 : 0);
      if (!forbid(SYS_ptrace, EPERM)) return "skip: no seccomp";
      const std::string text = words_of(who_holds(library.image(), autoreload::unload_policy::threads));
      library.find<void()>("stop")();
      const char* const expected = busy ? "can't be stopped (ptrace: " : " returns into ";
      return text.find(expected) != std::string::npos ? "" : "it says: " + text;
    });
  }
}

// Of its own threads such a process may read their state, but not where they are.
TEST(Report, AThreadOfAProcessThatCantBeDumpedIsNotTakenForOneThatEnded) {
  for (const bool busy : {false, true}) {
    in_a_child([busy]() -> std::string {
      const loaded library(with_a_thread, "-pthread");
      library.find<void(int)>("start")(busy ? 1 : 0);
      if (geteuid() == 0 && (setgid(54328) != 0 || setuid(54328) != 0)) return "skip: root can't be given up";
      if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return "skip: no prctl";
      const std::string text = words_of(who_holds(library.image(), autoreload::unload_policy::threads));
      library.find<void()>("stop")();
      return text.find("can't be stopped (ptrace: ") != std::string::npos ? "" : "it says: " + text;
    });
  }
}

TEST(Report, WhereTheSystemCallThatReadsMemoryIsForbiddenItIsReadOtherwise) {
  in_a_child([]() -> std::string {
    const loaded library("int number(void) { return 1; }");
    kept = library.find<int()>("number");
    if (!forbid(SYS_process_vm_readv, EPERM)) return "skip: no seccomp";
    const std::string text = words_of(who_holds(library.image(), autoreload::unload_policy::all));
    return text.find("kept") != std::string::npos ? "" : "it says: " + text;
  });
}

// What can't be looked at delays nothing for good.
TEST(Report, AnEngineThatMayNotTraceGoesByThePinsAndSaysSo) {
  in_a_child([]() -> std::string {
    stage here("void *leave(void *x) { return x; }", "", autoreload::unload_when(autoreload::unload_policy::threads));
    std::atomic<bool> over{false};
    std::thread busy([&] {
      while (!over) {
      }
    });
    std::string wrong;
    if (!forbid(SYS_ptrace, EPERM)) wrong = "skip: no seccomp";
    if (wrong.empty() && !here.replace()) wrong = "not replaced";
    if (wrong.empty() && !here.until([&] { return here.unloaded(); })) wrong = "not unloaded";
    if (wrong.empty() && here.told().find("by its pins alone") == std::string::npos) wrong = "told: " + here.told();
    over = true;
    busy.join();
    return wrong;
  });
}

// A text ends over what an old pointer left there, and the two look like another pointer into the library.
TEST(Report, TheEndOfATextOverTheRestOfAPointerIsNoPointer) {
  in_a_child([]() -> std::string {
    stage here("static char room[1 << 17]; void *leave(void *x) { (void)x; return room + sizeof room / 2; }", "",
               autoreload::unload_when(autoreload::unload_policy::all));
    static std::vector<char> block(40);
    story::leave_behind(here, {{}, {}, [](void* (*leave)(void*)) {
                                 void* const old = leave(nullptr);
                                 std::memcpy(block.data() + 16, &old, sizeof old);
                                 std::memcpy(block.data(), "/proc/11037/fd/11", 18);
                               }});
    if (!here.replace()) return "not replaced";
    return here.until([&] { return here.unloaded(); }) ? "" : "it stays: " + here.told();
  });
}

constexpr const char* answering =
    "static int answer(void) { return 42; } void *leave(void *x) { (void)x; return (void*)answer; }";
int (*kept_answer)();

void keep_answer(stage& here) {
  story::leave_behind(
      here, {{}, {}, [](void* (*leave)(void*)) { kept_answer = reinterpret_cast<int (*)()>(leave(nullptr)); }});
}

// A search notes where all libraries are but its own: on the heap that would keep the others, also once it is freed.
TEST(Report, WhatASearchNotesOfOtherLibrariesIsNotLookedAtByTheNext) {
  const autoreload::held_image no_library;
  const autoreload::holding::target nothing(no_library);
  const auto noted = autoreload::holding::read_mappings(nothing);
  const auto all = autoreload::holding::read_mappings(nothing);
  const auto* const where = autoreload::holding::find_mapping(all, reinterpret_cast<std::uintptr_t>(noted.data()));
  ASSERT_NE(where, nullptr);
  EXPECT_TRUE(where->shared);
}

TEST(Report, AGenerationThatIsHeldMayRunAgain) {
  in_a_child([]() -> std::string {
    stage here(answering, "", autoreload::unload_when(autoreload::unload_policy::all));
    keep_answer(here);
    if (!here.replace()) return "not replaced";
    if (!here.until([&] { return !here.told().empty(); })) return "not told";
    if (const auto back = here.library().activate(1); !back) return back.error().what();
    if (here.library()->number() != 1) return "another one runs";
    // The second leaves, though a search for the first has been going on.
    if (!here.until([&] { return here.unloaded(); })) return "the other stays: " + here.told();
    return kept_answer() == 42 ? "" : "it is gone";
  });
}

// An engine comes and goes, whose library answered with an address of its own.
// @return whether the library's destructor ran
bool goes_with_its_engine(bool held) {
  static int gone;
  gone = 0;
  {
    stage here(std::string("static int *told; __attribute__((destructor)) static void bye(void) { ++*told; }"
                           "static int answer(void) { return 42; }"
                           "void *leave(void *where) { told = where; return (void*)answer; }"),
               "", autoreload::unload_when(autoreload::unload_policy::all));
    story::leave_behind(here, {{}, {}, [held](void* (*leave)(void*)) {
                                 void* const answer = leave(&gone);
                                 if (held) kept_answer = reinterpret_cast<int (*)()>(answer);
                               }});
  }
  return gone == 1;
}

TEST(Report, WhenTheEngineEndsWhatIsHeldStays) {
  in_a_child([]() -> std::string { return !goes_with_its_engine(true) && kept_answer() == 42 ? "" : "it went"; });
}

// A word that a frame has left on the stack may be taken for a pointer: then one stays, but not each.
TEST(Report, WhenTheEngineEndsWhatIsNotHeldGoes) {
  in_a_child([]() -> std::string {
    for (int engines = 0; engines < 20; ++engines) {
      if (goes_with_its_engine(false)) return "";
    }
    return "all stay";
  });
}

// The search's thread is not there in the child, whatever it was doing.
TEST(Report, AForkedChildDoesNotWaitForASearchOfItsParent) {
  in_a_child([]() -> std::string {
    std::optional<stage> here;
    here.emplace(answering, "", autoreload::unload_when(autoreload::unload_policy::all));
    keep_answer(*here);
    if (!here->replace()) return "not replaced";
    for (int round = 0; round < 20; ++round) {
      here->library().poll();
      const pid_t child = fork();
      if (child == 0) {
        alarm(20);
        here.reset();
        _exit(0);
      }
      int status = 0;
      waitpid(child, &status, 0);
      if (status != 0) return "the child hung: " + std::to_string(status);
    }
    return "";
  });
}

TEST(Report, ASearchIsNotRepeatedSoonerThanItsCostAllows) {
  const loaded library("int number(void) { return 1; }");
  const std::size_t size = std::size_t{256} << 20;
  void* const ballast = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(ballast, MAP_FAILED);
  std::memset(ballast, 1, size);
  const auto search = autoreload::unload_when(autoreload::unload_policy::all)->begin(library.image());
  ASSERT_TRUE(search->look(true));
  EXPECT_TRUE(search->look(false)) << "a new search was begun at once";
  munmap(ballast, size);
}

}  // namespace
