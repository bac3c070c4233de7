// SPDX-License-Identifier: MIT
// left_behind_test: what a library leaves in the process when it is replaced: an exception that somebody holds, threads
// of a runtime that it brought along.
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <autoreload/autoreload.hpp>
#include <exception>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>

#include "in_a_child.hpp"
#include "support.hpp"

namespace {

using autoreload::event_kind;
using autoreload::event_queue;
using support::in_a_child;
using support::patience;

struct thrower_api {
  autoreload::required_as<"fail", int(int)> fail;
  autoreload::required_as<"pass_on", int(void (*)())> pass_on;
};

constexpr const char* thrower = R"(
#include <stdexcept>
#include <system_error>
namespace {
struct own_error : std::exception { const char* what() const noexcept override { return "the library's own"; } };
struct own_category : std::error_category {
  const char* name() const noexcept override { return "own"; }
  std::string message(int) const override { return "the library's category"; }
} category;
}
extern "C" int fail(int how) {
  if (how == 1) throw own_error();
  if (how == 2) throw "a string of the library's";
  if (how == 3) throw std::system_error(1, category);
  if (how == 4) throw std::runtime_error("a standard one");
  if (how == 5) throw 5;
  return 0;
}
extern "C" int pass_on(void (*callback)()) { callback(); return 0; }
)";

void build_cpp(const std::string& library, const std::string& source, const std::string& flags) {
  support::write_file(library + ".cpp", source);
  support::shell(support::c_compiler() + " -x c++ -std=c++17 -shared -fPIC -O1 -o '" + library + ".new' '" + library +
                 ".cpp' -x none " + flags);
  std::filesystem::rename(library + ".new", library);
}

// Two versions, compiled once.
struct versions {
  support::temp_directory directory;
  versions() {
    build_cpp(directory / "1.so", thrower, "-lstdc++");
    build_cpp(directory / "2.so", std::string(thrower) + "int another_content;", "-lstdc++");
  }
  static const versions& get() {
    static const versions both;
    return both;
  }
  static void put(int which, const std::string& at) {
    std::filesystem::copy_file(get().directory / (std::to_string(which) + ".so"), at + ".new");
    std::filesystem::rename(at + ".new", at);
  }
};

// Holds what the first version throws, replaces the library and looks at it then.
// @return what the exception says then; empty when no exception came
std::string held_over_a_reload(int how, bool& unloaded, std::string& reason) {
  const support::temp_directory directory;
  versions::put(1, directory / "lib.so");
  event_queue events;
  autoreload::options chosen;
  chosen.observer = events.observer();
  chosen.drive = autoreload::drive_mode::manual;
  autoreload::reloadable<thrower_api> library(directory / "lib.so", chosen);
  std::exception_ptr held;
  try {
    (void)library->fail(how);
  } catch (...) {
    held = std::current_exception();
  }
  versions::put(2, directory / "lib.so");
  library.poll();
  if (library.generation() != 2) throw std::runtime_error("no reload");
  unloaded = false;
  while (const auto one = events.next()) {
    if (one->kind == event_kind::unloaded) unloaded = true;
    if (one->kind == event_kind::retained) reason = one->text;
  }
  if (held == nullptr) return {};
  try {
    std::rethrow_exception(std::exchange(held, nullptr));
  } catch (const std::exception& one) {
    return one.what();
  } catch (const char* text) {
    return text;
  } catch (int number) {
    return std::to_string(number);
  }
}

TEST(LeftBehind, AnExceptionOfTheLibrarysOwnKeepsItsGenerationAndItIsSaid) {
  (void)versions::get();
  struct expectation {
    int how;
    const char* says;
  };
  for (const expectation& one : {expectation{1, "the library's own"}, expectation{2, "a string of the library's"},
                                 expectation{3, "the library's category"}}) {
    in_a_child([=]() -> std::string {
      bool unloaded = false;
      std::string reason;
      const std::string said = held_over_a_reload(one.how, unloaded, reason);
      if (said != one.says) return "it says: " + said;
      if (unloaded) return "it was unloaded";
      return reason.find("threw an exception") != std::string::npos ? "" : "the reason: " + reason;
    });
  }
}

// A library that it needs is a private copy, too, which may have to lie beside the library itself.
TEST(LeftBehind, AnExceptionOfALibraryThatItNeedsKeepsThatOne) {
  const support::temp_directory built;
  const std::string needed =
      "#include <exception>\nnamespace { struct own_error : std::exception { const char* what() const noexcept "
      "override "
      "{ return \"the needed library's\"; } }; }\nextern \"C\" int needed() { throw own_error(); }\n";
  const std::string needing =
      "extern \"C\" int needed();\nextern \"C\" int fail(int how) { return how != 0 ? needed() : 0; }\n"
      "extern \"C\" int pass_on(void (*callback)()) { callback(); return 0; }\n";
  for (const std::string version : {"1", "2"}) {
    std::filesystem::create_directory(built / version);
    const std::string there = built / version;
    build_cpp(there + "/libneeded.so", needed + "int build" + version + ";", "-lstdc++ -Wl,-soname,libneeded.so");
    build_cpp(there + "/lib.so", needing + "int build" + version + ";",
              "'" + there + "/libneeded.so' -lstdc++ '-Wl,-rpath,$ORIGIN'");
  }
  for (const auto name : {autoreload::loader_name::descriptor, autoreload::loader_name::beside}) {
    in_a_child([&]() -> std::string {
      const support::temp_directory directory;
      const auto put = [&](const std::string& version) {
        for (const char* const file : {"libneeded.so", "lib.so"}) {
          std::filesystem::copy_file(built.path() / version / file, directory / "new");
          std::filesystem::rename(directory / "new", directory / file);
        }
      };
      put("1");
      autoreload::options chosen;
      chosen.observer = autoreload::silent;
      chosen.drive = autoreload::drive_mode::manual;
      chosen.name = name;
      autoreload::reloadable<thrower_api> library(directory / "lib.so", chosen);
      std::exception_ptr held;
      try {
        (void)library->fail(1);
      } catch (...) {
        held = std::current_exception();
      }
      if (held == nullptr) return "nothing was thrown";
      put("2");
      for (int i = 0; i < 3; ++i) library.poll();
      if (library.generation() != 2) return "no reload";
      try {
        std::rethrow_exception(std::exchange(held, nullptr));
      } catch (const std::exception& one) {
        return one.what() == std::string("the needed library's") ? "" : one.what();
      }
    });
  }
}

TEST(LeftBehind, AStandardExceptionKeepsNothing) {
  (void)versions::get();
  for (const int how : {0, 4, 5}) {
    in_a_child([=]() -> std::string {
      bool unloaded = false;
      std::string reason;
      const std::string said = held_over_a_reload(how, unloaded, reason);
      if (how == 4 && said != "a standard one") return "it says: " + said;
      return unloaded ? "" : "it stays: " + reason;
    });
  }
}

struct hosts_error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

TEST(LeftBehind, AnExceptionOfTheHostsThatPassesThroughKeepsNothing) {
  (void)versions::get();
  in_a_child([]() -> std::string {
    const support::temp_directory directory;
    versions::put(1, directory / "lib.so");
    event_queue events;
    autoreload::options chosen;
    chosen.observer = events.observer();
    chosen.drive = autoreload::drive_mode::manual;
    autoreload::reloadable<thrower_api> library(directory / "lib.so", chosen);
    try {
      (void)library->pass_on([] { throw hosts_error("the host's"); });
      return "no exception came";
    } catch (const hosts_error&) {
    }
    if (!library.reload()) return library.last_failure()->what();
    library.poll();
    return events.next(event_kind::unloaded, patience) ? "" : "it stays";
  });
}

// Its threads wait in its own code for the next parallel region, for good.
TEST(LeftBehind, TheThreadsOfARuntimeThatTheLibraryBroughtGoOn) {
  in_a_child([]() -> std::string {
    setenv("OMP_WAIT_POLICY", "active", 1);  // so that they run when the library goes, and not only at their end
    const support::temp_directory directory;
    try {
      support::build_library(directory / "lib.so",
                             "int number(void) { int n = 0;\n#pragma omp parallel for reduction(+:n) num_threads(2)\n"
                             "for (int i = 0; i < 1000; ++i) n += 1; return n; }",
                             "-fopenmp");
    } catch (const std::exception&) {
      return "skip: this compiler has no OpenMP";
    }
    support::build_library(directory / "plain.so", "int number(void) { return 2; }");
    struct number_api {
      autoreload::required_as<"number", int()> number;
    };
    event_queue events;
    autoreload::options chosen;
    chosen.observer = events.observer();
    autoreload::reloadable<number_api> library(directory / "lib.so", chosen);
    if (library->number() != 1000) return "a wrong sum";
    std::filesystem::rename(directory / "plain.so", directory / "lib.so");
    if (!events.next(event_kind::unloaded, patience)) return "the old generation did not leave";
    for (int i = 0; i < 20; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(2));  // for them to run on
    return library->number() == 2 ? "" : "the wrong one is called";
  });
}

// What glibc does with the kinds of handlers that run at the end: docs/hazards.md tells.
TEST(LeftBehind, HandlersOfAtexitRunAtUnloadingAndThoseOfOnExitAtTheEnd) {
  const auto status_after_exit = [](const char* registers) {
    const support::temp_directory directory;
    support::build_library(
        directory / "lib.so",
        std::string("#define _GNU_SOURCE\n#include <stdlib.h>\n"
                    "extern int __cxa_atexit(void (*)(void*), void*, void*);"
                    "static int* told; static void bye(void) { ++*told; }"
                    "static void bye_on(int status, void* argument) { ++*told; }"
                    "static void bye_cxa(void* argument) { ++*told; }"
                    "int use(int* where) { told = where; (void)bye; (void)bye_on; (void)bye_cxa; return ") +
            registers + "; }");
    const pid_t child = fork();
    if (child == 0) {
      static int told = 0;
      void* const library = dlopen((directory / "lib.so").c_str(), RTLD_NOW);
      if (library == nullptr || reinterpret_cast<int (*)(int*)>(dlsym(library, "use"))(&told) != 0) _exit(2);
      dlclose(library);
      if (told != 0) _exit(3);  // at unloading
      std::exit(4);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return status;
  };
#ifdef __GLIBC__
  const int by_atexit = status_after_exit("atexit(bye)");
  EXPECT_TRUE(WIFEXITED(by_atexit) && WEXITSTATUS(by_atexit) == 3) << by_atexit;
  for (const char* const other : {"on_exit(bye_on, 0)", "__cxa_atexit(bye_cxa, 0, 0)"}) {
    const int status = status_after_exit(other);
    EXPECT_TRUE(WIFSIGNALED(status)) << other << ": " << status;
  }
#endif
}

TEST(LeftBehind, ALibraryThatAllowsNoSecondCopyIsRefusedByATrialBesideTheRunningOne) {
  in_a_child([]() -> std::string {
    struct number_api {
      autoreload::required_as<"number", int()> number;
    };
    const support::temp_directory directory;
    for (const int i : {1, 2}) {
      support::build_library(
          directory / (std::to_string(i) + ".so"),
          "#include <signal.h>\n#include <stdlib.h>\nstatic void mine(int s) {}"
          "__attribute__((constructor)) static void come(void) { if (signal(SIGUSR2, mine) != SIG_DFL) abort(); }"
          "int number(void) { return " +
              std::to_string(i) + "; }");
    }
    std::filesystem::rename(directory / "1.so", directory / "lib.so");
    event_queue events;
    autoreload::options chosen;
    chosen.observer = events.observer();
    chosen.trial.enabled = true;
    chosen.trial.beside_running = true;
    autoreload::reloadable<number_api> library(directory / "lib.so", chosen);
    if (library->number() != 1) return "the first was not loaded";
    std::filesystem::rename(directory / "2.so", directory / "lib.so");
    const auto refused = events.next(event_kind::refused, patience);
    if (!refused) return "it was not refused";
    if (refused->failure->at() != autoreload::stage::trial) return refused->failure->what();
    return library->number() == 1 ? "" : "the running one is gone";
  });
}

}  // namespace
