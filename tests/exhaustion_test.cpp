// SPDX-License-Identifier: MIT
// exhaustion_test: what the system has run out of is said, got around where that helps, and taken again when it is
// back.
//
// Each test takes the resource away in a child process of its own, so that they may run side by side.
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <autoreload/autoreload.hpp>
#include <functional>
#include <string>

#include "support.hpp"

namespace {

using autoreload::event_kind;
using autoreload::event_queue;
using support::build_library;
using support::patience;

struct number_api {
  autoreload::required_as<"number", int()> number;
};

std::string source(int value) { return "int number(void) { return " + std::to_string(value) + "; }"; }

constexpr int skipped = 77;

// Runs a story in a child. It returns an empty text when all went well, what did not otherwise, or "skip: …".
void in_a_child(const std::function<std::string()>& story) {
  int report[2];
  ASSERT_EQ(pipe(report), 0);
  const pid_t child = fork();
  if (child == 0) {
    std::string text;
    try {
      text = story();
    } catch (const std::exception& failure) {
      text = failure.what();
    }
    [[maybe_unused]] const ssize_t written = write(report[1], text.data(), text.size());
    _exit(text.empty() ? 0 : text.starts_with("skip") ? skipped : 1);
  }
  close(report[1]);
  std::string text;
  char buffer[1024];
  for (ssize_t got = 0; (got = read(report[0], buffer, sizeof buffer)) > 0;)
    text.append(buffer, static_cast<std::size_t>(got));
  close(report[0]);
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) == skipped) GTEST_SKIP() << text;
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << text;
}

autoreload::options watched_by(event_queue& events) {
  autoreload::options chosen;
  chosen.observer = events.observer();
  return chosen;
}

void write_setting(const char* path, const std::string& value) { support::write_file(path, value); }

TEST(Exhaustion, OfDescriptorsRefusesWithTheCauseAndRecoversWithoutAnotherChange) {
  in_a_child([]() -> std::string {
    const support::temp_folder folder;
    build_library(folder / "lib.so", source(1));
    build_library(folder / "next.so", source(2));
    event_queue events;
    autoreload::reloadable<number_api> library(folder / "lib.so", watched_by(events));
    if (library->number() != 1) return "the first did not load";
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    const rlimit none{3, limit.rlim_max};
    setrlimit(RLIMIT_NOFILE, &none);
    std::filesystem::rename(folder / "next.so", folder / "lib.so");
    const auto refused = events.next(event_kind::refused, patience);
    if (!refused) return "no refusal came";
    if (refused->failure->system() != "Too many open files") return refused->failure->what();
    if (library->number() != 1) return "the running generation was lost";
    setrlimit(RLIMIT_NOFILE, &limit);
    if (!events.next(event_kind::loaded, patience)) return "it was not loaded when there were descriptors again";
    return library->number() == 2 ? "" : "the wrong one was loaded";
  });
}

TEST(Exhaustion, OfInotifyWatchesFallsBackToPollingAndGoesBackToInotify) {
  in_a_child([]() -> std::string {
    const support::temp_folder folder;
    build_library(folder / "lib.so", source(1));
    build_library(folder / "two.so", source(2));
    // A user namespace of its own has limits of its own.
    const uid_t user = getuid();
    if (unshare(CLONE_NEWUSER) != 0) return "skip: no user namespace";
    write_setting("/proc/self/uid_map", "0 " + std::to_string(user) + " 1\n");
    write_setting("/proc/sys/user/max_inotify_watches", "0\n");
    event_queue events;
    autoreload::options chosen = watched_by(events);
    chosen.poll_interval = std::chrono::milliseconds(20);
    autoreload::reloadable<number_api> library(folder / "lib.so", chosen);
    const auto warning = events.next(event_kind::warning, patience);
    if (!warning || warning->text.find("max_user_watches") == std::string::npos) return "no warning names the limit";
    if (library.watching() != autoreload::watch_mode::polling) return "it does not poll";
    std::filesystem::rename(folder / "two.so", folder / "lib.so");
    if (!events.next(event_kind::loaded, patience)) return "polling saw nothing";
    write_setting("/proc/sys/user/max_inotify_watches", "10000\n");
    const auto back = events.next(event_kind::warning, patience);
    if (!back || library.watching() != autoreload::watch_mode::inotify) return "it went on polling";
    return library->number() == 2 ? "" : "the wrong one was loaded";
  });
}

TEST(Exhaustion, WithoutProcItLoadsFromATemporaryFileThatLeavesNothingBehind) {
  in_a_child([]() -> std::string {
    const support::temp_folder folder;
    build_library(folder / "lib.so", source(1));
    build_library(folder / "two.so", source(2));
    std::filesystem::create_directory(folder.path() / "tmp");
    setenv("TMPDIR", (folder / "tmp").c_str(), 1);
    unsetenv("XDG_RUNTIME_DIR");
    if (unshare(CLONE_NEWNS) != 0 || mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        umount2("/proc", MNT_DETACH) != 0) {
      return "skip: /proc can't be taken away without root";
    }
    event_queue events;
    autoreload::reloadable<number_api> library(folder / "lib.so", watched_by(events));
    if (!library.loaded()) return library.last_failure()->what();
    std::filesystem::rename(folder / "two.so", folder / "lib.so");
    if (!events.next(event_kind::loaded, patience) || !events.next(event_kind::loaded, patience)) return "no reload";
    if (library->number() != 2) return "the wrong one was loaded";
    return std::filesystem::is_empty(folder.path() / "tmp") ? "" : "a file stayed behind";
  });
}

TEST(Exhaustion, OfRoomForTheCopySaysWhereItLookedAndRecovers) {
  in_a_child([]() -> std::string {
    const support::temp_folder folder;
    build_library(folder / "lib.so", source(1));
    build_library(folder / "two.so", source(2));
    std::filesystem::create_directory(folder.path() / "tmp");
    setenv("TMPDIR", (folder / "tmp").c_str(), 1);
    unsetenv("XDG_RUNTIME_DIR");
    const auto cover = [](const char* place) { return mount("tmpfs", place, "tmpfs", MS_RDONLY, nullptr) == 0; };
    if (unshare(CLONE_NEWNS) != 0 || mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        umount2("/proc", MNT_DETACH) != 0 || !cover("/dev/shm") || !cover("/var/tmp") ||
        !cover((folder / "tmp").c_str())) {
      return "skip: file systems can't be mounted without root";
    }
    if (!folder.path().native().starts_with("/tmp/")) return "skip: the test's own folder is not below /tmp";
    // /tmp itself: a read-only view, but for the library's folder.
    if (mount("/tmp", "/tmp", nullptr, MS_BIND | MS_REC, nullptr) != 0 || chdir(folder.path().c_str()) != 0 ||
        mount("none", "/tmp", nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY, nullptr) != 0) {
      return "skip: /tmp can't be made read-only";
    }
    event_queue events;
    autoreload::reloadable<number_api> library(folder / "lib.so", watched_by(events));
    if (library.loaded()) return "it was loaded without any place for a copy";
    if (library.last_failure()->reason().find("no place for a private copy") == std::string::npos) {
      return library.last_failure()->what();
    }
    umount2((folder / "tmp").c_str(), MNT_DETACH);
    mount("none", "/tmp", nullptr, MS_REMOUNT | MS_BIND, nullptr);
    if (!events.next(event_kind::loaded, patience)) return "it was not loaded when there was room again";
    return library->number() == 1 ? "" : "the wrong one was loaded";
  });
}

}  // namespace
