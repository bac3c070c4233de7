// SPDX-License-Identifier: MIT
// host_signals_test: a library's constructors and destructors run under the host's signal mask, on whatever thread.
#include <gtest/gtest.h>
#include <signal.h>

#include <autoreload/autoreload.hpp>
#include <filesystem>
#include <string>

#include "support.hpp"

namespace {

using autoreload::event_kind;
using autoreload::event_queue;
using support::patience;

struct mask_api {
  autoreload::required_as<"at_load", unsigned long()> at_load;
  autoreload::required_as<"at_unload", void(unsigned long*)> at_unload;
  autoreload::required_as<"of_part_at_load", unsigned long()> of_part_at_load;
};

// Signals 1 to 31 as bits.
constexpr const char* looks_at_its_mask = R"(
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
static unsigned long mask(void) {
  sigset_t now;
  unsigned long bits = 0;
  pthread_sigmask(SIG_SETMASK, 0, &now);
  for (int i = 1; i < 32; ++i) bits |= (unsigned long)(sigismember(&now, i) == 1) << i;
  return bits;
}
static unsigned long loaded;
static unsigned long* unloaded;
__attribute__((constructor)) static void come(void) { loaded = mask(); }
__attribute__((destructor)) static void go(void) { if (unloaded) *unloaded = mask(); }
)";

TEST(HostSignals, TheHostsMaskIsThereWhileLibrariesAreLoadedAndUnloaded) {
  const support::temp_directory directory;
  const std::string main_part = std::string(looks_at_its_mask) +
                                "unsigned long of_part(void);"
                                "unsigned long at_load(void) { return loaded; }"
                                "void at_unload(unsigned long* where) { unloaded = where; }"
                                "unsigned long of_part_at_load(void) { return of_part(); }";
  const auto build = [&](const std::string& name, int version) {
    support::build_library(directory / (name + "/libpart.so"),
                           std::string(looks_at_its_mask) + "unsigned long of_part(void) { return loaded; } int part_" +
                               std::to_string(version) + ";",
                           "-Wl,-soname,libpart.so");
    support::build_library(directory / (name + "/lib.so"), main_part + "int version_" + std::to_string(version) + ";",
                           "'" + directory / (name + "/libpart.so") + "' -Wl,-rpath,'$ORIGIN'");
  };
  for (const char* const name : {"run", "next"}) std::filesystem::create_directory(directory.path() / name);
  build("run", 1);
  build("next", 2);

  sigset_t hosts;
  sigset_t before;
  sigemptyset(&hosts);
  sigaddset(&hosts, SIGUSR2);
  sigaddset(&hosts, SIGHUP);
  pthread_sigmask(SIG_SETMASK, &hosts, &before);
  event_queue events;
  autoreload::options chosen;
  chosen.observer = events.observer();
  autoreload::reloadable<mask_api> library(directory / "run/lib.so", chosen);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);

  constexpr unsigned long wanted = 1UL << SIGUSR2 | 1UL << SIGHUP;
  unsigned long at_unload = 0;
  ASSERT_TRUE(library.loaded()) << library.last_failure()->what();
  EXPECT_EQ(library->at_load(), wanted);
  library->at_unload(&at_unload);
  for (const char* const name : {"libpart.so", "lib.so"}) {
    std::filesystem::rename(directory / ("next/" + std::string(name)), directory / ("run/" + std::string(name)));
  }
  ASSERT_TRUE(events.next(event_kind::unloaded, patience)) << "of the first";
  EXPECT_EQ(at_unload, wanted);
  EXPECT_EQ(library->at_load(), wanted);
  EXPECT_EQ(library->of_part_at_load(), wanted);
}

TEST(HostSignals, TheServiceItselfStaysDeafToThem) {
  const support::temp_directory directory;
  support::build_library(directory / "lib.so", std::string(looks_at_its_mask) +
                                                   "unsigned long at_load(void) { return loaded; }"
                                                   "void at_unload(unsigned long* where) { unloaded = where; }"
                                                   "unsigned long of_part_at_load(void) { return 0; }");
  sigset_t seen;
  sigemptyset(&seen);
  std::atomic<bool> called{false};
  autoreload::options chosen;
  const std::thread::id here = std::this_thread::get_id();
  chosen.observer = [&](const autoreload::event&) {
    if (std::this_thread::get_id() == here || called) return;
    pthread_sigmask(SIG_SETMASK, nullptr, &seen);
    called = true;
  };
  const autoreload::reloadable<mask_api> library(directory / "lib.so", chosen);
  support::write_file(directory / "lib.so.new", "no library");
  std::filesystem::rename(directory / "lib.so.new", directory / "lib.so");
  const auto end = std::chrono::steady_clock::now() + patience;
  while (!called && std::chrono::steady_clock::now() < end) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  ASSERT_TRUE(called);
  for (const int one : {SIGTERM, SIGUSR1, SIGCHLD, SIGALRM}) EXPECT_EQ(sigismember(&seen, one), 1) << one;
  for (const int one : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGABRT, SIGSYS}) {
    EXPECT_EQ(sigismember(&seen, one), 0) << one;
  }
}

}  // namespace
