// SPDX-License-Identifier: MIT
// exhaustion_test: what the system has run out of is said, got around where that helps, and taken again when it is
// back.
//
// Each test takes the resource away in a child process of its own, so that they may run side by side.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <autoreload/autoreload.hpp>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "in_a_child.hpp"
#include "reload/setback.hpp"
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

std::string source(int value) { return "int number(void) { return " + std::to_string(value) + "; }"; }

autoreload::options watched_by(event_queue& events) {
  autoreload::options chosen;
  chosen.observer = events.observer();
  return chosen;
}

void write_setting(const char* path, const std::string& value) { support::write_file(path, value); }

TEST(Exhaustion, OfDescriptorsRefusesWithTheCauseAndRecoversWithoutAnotherChange) {
  in_a_child([]() -> std::string {
    const support::temp_directory directory;
    build_library(directory / "lib.so", source(1));
    build_library(directory / "next.so", source(2));
    event_queue events;
    autoreload::reloadable<number_api> library(directory / "lib.so", watched_by(events));
    if (library->number() != 1) return "the first did not load";
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    const rlimit none{3, limit.rlim_max};
    setrlimit(RLIMIT_NOFILE, &none);
    std::filesystem::rename(directory / "next.so", directory / "lib.so");
    const auto refused = events.next(event_kind::refused, patience);
    if (!refused) return "no refusal came";
    if (refused->failure->system() != "Too many open files") return refused->failure->what();
    if (library->number() != 1) return "the running generation was lost";
    setrlimit(RLIMIT_NOFILE, &limit);
    if (!events.next(event_kind::loaded, patience)) return "it was not loaded when there were descriptors again";
    return library->number() == 2 ? "" : "the wrong one was loaded";
  });
}

// Every step of a reload takes a descriptor at some point: the trial, each dependency, the copy, dlopen itself.
TEST(Exhaustion, OfDescriptorsAtAnyStepOfTheWayPassesWhenThereAreMoreAgain) {
  in_a_child([]() -> std::string {
    const support::temp_directory directory;
    const auto build = [&](int version, const std::string& to) {
      std::filesystem::create_directories(directory.path() / to);
      build_library(directory / (to + "/libpart.so"), "int part(void) { return " + std::to_string(version) + "; }",
                    "-Wl,-soname,libpart.so");
      build_library(directory / (to + "/lib.so"), "int part(void); int number(void) { return part(); }",
                    "'" + directory / (to + "/libpart.so") + "' -Wl,-rpath,'$ORIGIN'");
    };
    build(1, "run");
    event_queue events;
    autoreload::options chosen = watched_by(events);
    chosen.trial.enabled = true;
    chosen.drive = autoreload::drive_mode::manual;
    autoreload::reloadable<number_api> library(directory / "run/lib.so", chosen);
    if (library->number() != 1) return "the first did not load";
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    bool refused_once = false;
    for (int spare = 0;; ++spare) {
      const int version = spare + 2;
      const std::string at = "with " + std::to_string(spare) + " spare descriptors ";
      build(version, "next");
      for (const char* const name : {"libpart.so", "lib.so"}) {
        std::filesystem::rename(directory / ("next/" + std::string(name)), directory / ("run/" + std::string(name)));
      }
      const int highest = dup(0);
      close(highest);
      const rlimit few{static_cast<rlim_t>(highest + spare), limit.rlim_max};
      setrlimit(RLIMIT_NOFILE, &few);
      library.poll();
      pollfd waiting{library.descriptor(), POLLIN, 0};
      while (!library.last_failure() && library->number() != version && ::poll(&waiting, 1, 10'000) == 1) {
        library.poll();  // its trial has ended
      }
      const auto failure = library.last_failure();
      const int now = library->number();
      setrlimit(RLIMIT_NOFILE, &limit);
      if (!failure && now == version) return refused_once ? "" : "no shortage was ever met";
      refused_once = true;
      if (now != version - 1) return at + "the running generation was lost";
      if (!failure || failure->system().find("Too many open files") == std::string::npos) {
        return at + (failure ? failure->what() : "nothing was said");
      }
      // No event and no request from here on: it must come back by itself.
      const auto deadline = std::chrono::steady_clock::now() + patience;
      while (library->number() != version) {
        if (std::chrono::steady_clock::now() > deadline) return at + "it was not tried again: " + failure->what();
        ::poll(&waiting, 1, 1000);
        library.poll();
      }
    }
  });
}

TEST(Exhaustion, OfTheFileSizeLimitRefusesAndNeitherEndsTheHostNorEatsItsSignal) {
  for (const bool with_trial : {false, true}) {
    in_a_child([=]() -> std::string {
      const support::temp_directory directory;
      build_library(directory / "two.so", source(2));
      event_queue events;
      autoreload::options chosen = watched_by(events);
      chosen.drive = autoreload::drive_mode::manual;  // on this thread, whose SIGXFSZ is not blocked
      chosen.trial.enabled = with_trial;
      autoreload::reloadable<number_api> library(directory / "lib.so", chosen);
      rlimit limit{};
      getrlimit(RLIMIT_FSIZE, &limit);
      const rlimit little{4096, limit.rlim_max};
      setrlimit(RLIMIT_FSIZE, &little);
      std::filesystem::rename(directory / "two.so", directory / "lib.so");
      const auto refused = library.reload();
      if (refused) return "it was loaded although it can't be copied";
      if (refused.error().system() != "File too large") return refused.error().what();
      if (refused.error().advice().find("RLIMIT_FSIZE") == std::string::npos) return "the advice names no limit";
      sigset_t pending;
      sigpending(&pending);
      if (sigismember(&pending, SIGXFSZ) == 1) return "a signal was left behind";
      sigset_t blocked;
      pthread_sigmask(SIG_SETMASK, nullptr, &blocked);
      if (sigismember(&blocked, SIGXFSZ) == 1) return "the signal stays blocked";
      setrlimit(RLIMIT_FSIZE, &limit);
      const auto deadline = std::chrono::steady_clock::now() + patience;
      pollfd waiting{library.descriptor(), POLLIN, 0};
      while (!library.loaded()) {
        if (std::chrono::steady_clock::now() > deadline) return "it was not tried again";
        ::poll(&waiting, 1, 1000);
        library.poll();
      }
      return library->number() == 2 ? "" : "the wrong one was loaded";
    });
  }
}

TEST(Exhaustion, OfAddressSpaceRefusesALargeLibraryAndTakesItWhenThereIsRoom) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "sanitizers reserve terabytes of address space themselves";
#endif
  in_a_child([]() -> std::string {
    const support::temp_directory directory;
    build_library(directory / "lib.so", source(1));
    build_library(directory / "large.so", "static const char filled[96 << 20] = {1};" + source(2) +
                                              "const char* at(int i) { return filled + i; }");
    event_queue events;
    autoreload::options alone = watched_by(events);
    alone.drive = autoreload::drive_mode::manual;  // a thread that starts takes address space, and gives some back
    autoreload::reloadable<number_api> library(directory / "lib.so", alone);
    std::ifstream pages("/proc/self/statm");
    rlim_t used = 0;
    pages >> used;
    rlimit limit{};
    getrlimit(RLIMIT_AS, &limit);
    // Enough for the rest of the program; not for the buffer at first, then not for the mapping.
    for (const rlim_t megabytes : {rlim_t{32}, rlim_t{150}}) {
      const rlimit little{used * 4096 + (megabytes << 20), limit.rlim_max};
      setrlimit(RLIMIT_AS, &little);
      if (megabytes == 32) std::filesystem::rename(directory / "large.so", directory / "lib.so");
      const auto tried = library.reload();
      if (tried) return "it was loaded into no room";
      const std::string said = tried.error().what();
      if (said.find("memory") == std::string::npos) return said;
      if (library->number() != 1) return "the running generation was lost";
    }
    setrlimit(RLIMIT_AS, &limit);
    while (library->number() != 2) {
      pollfd waiting{library.descriptor(), POLLIN, 0};
      if (::poll(&waiting, 1, static_cast<int>(patience.count()) * 1000) != 1) {
        return "it was not loaded when there was room again";
      }
      library.poll();
    }
    return {};
  });
}

// As SELinux, a container's seccomp profile or systemd's MemoryDenyWriteExecute do it.
bool forbid_mappings_of_code() {
  constexpr auto protection = static_cast<std::uint32_t>(offsetof(seccomp_data, args) + 2 * sizeof(std::uint64_t));
  std::array<sock_filter, 7> rules{{
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, protection),
      BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  }};
  const sock_fprog program{rules.size(), rules.data()};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

TEST(Exhaustion, OfTheRightToMapCodeIsNotCalledAWantOfMemoryNorTriedAgainAndAgain) {
  in_a_child([]() -> std::string {
    const support::temp_directory directory;
    build_library(directory / "lib.so", source(1));
    event_queue events;
    autoreload::options chosen = watched_by(events);
    chosen.drive = autoreload::drive_mode::manual;
    if (!forbid_mappings_of_code()) return "skip: no seccomp";
    const autoreload::reloadable<number_api> library(directory / "lib.so", chosen);
    const auto why = library.last_failure();
    if (!why) return "it was loaded all the same";
    if (why->advice().find("seccomp") == std::string::npos) return why->what();
    if (why->system().find("Operation not permitted") == std::string::npos) return why->what();
    const autoreload::setback no =
        autoreload::setback_of_dlopen(*why, open((directory / "lib.so").c_str(), O_RDONLY | O_CLOEXEC));
    return no.kind == autoreload::setback_kind::refused_elsewhere ? "" : "it is taken for what passes by itself";
  });
}

TEST(Exhaustion, OfProcessesRefusesATrialAndTakesItWhenThereAreMoreAgain) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can become a user without any other process";
  in_a_child([]() -> std::string {
    const support::temp_directory directory(support::open_to_all());
    std::filesystem::permissions(directory.path(), std::filesystem::perms(0755));
    build_library(directory / "lib.so", source(1));
    if (setgid(54329) != 0 || setuid(54329) != 0) return "can't become another user";
    event_queue events;
    autoreload::options chosen = watched_by(events);
    chosen.trial.enabled = true;
    chosen.drive = autoreload::drive_mode::manual;
    rlimit limit{};
    getrlimit(RLIMIT_NPROC, &limit);
    const rlimit none{1, limit.rlim_max};
    setrlimit(RLIMIT_NPROC, &none);
    autoreload::reloadable<number_api> library(directory / "lib.so", chosen);
    pollfd waiting{library.descriptor(), POLLIN, 0};
    const auto deadline = std::chrono::steady_clock::now() + patience;
    const auto until = [&](auto&& holds) {
      while (!holds() && std::chrono::steady_clock::now() < deadline) {
        ::poll(&waiting, 1, 100);
        library.poll();
      }
      return holds();
    };
    const auto refused = [&] {
      return library.last_failure() && library.last_failure()->at() == autoreload::stage::trial;
    };
    if (!until(refused)) return library.loaded() ? "skip: the limit has no effect here" : "no refusal came";
    if (library.last_failure()->system() != "Resource temporarily unavailable") return library.last_failure()->what();
    setrlimit(RLIMIT_NPROC, &limit);
    return until([&] { return library.loaded(); }) ? "" : "it was not tried again";
  });
}

TEST(Exhaustion, OfInotifyWatchesFallsBackToPollingAndGoesBackToInotify) {
  in_a_child([]() -> std::string {
    const support::temp_directory directory;
    build_library(directory / "lib.so", source(1));
    build_library(directory / "two.so", source(2));
    // A user namespace of its own has limits of its own.
    const uid_t user = getuid();
    if (unshare(CLONE_NEWUSER) != 0) return "skip: no user namespace";
    write_setting("/proc/self/uid_map", "0 " + std::to_string(user) + " 1\n");
    write_setting("/proc/sys/user/max_inotify_watches", "0\n");
    event_queue events;
    autoreload::options chosen = watched_by(events);
    chosen.poll_interval = std::chrono::milliseconds(20);
    autoreload::reloadable<number_api> library(directory / "lib.so", chosen);
    const auto warning = events.next(event_kind::warning, patience);
    if (!warning || warning->text.find("max_user_watches") == std::string::npos) return "no warning names the limit";
    if (library.watching() != autoreload::watch_mode::polling) return "it does not poll";
    std::filesystem::rename(directory / "two.so", directory / "lib.so");
    if (!events.next(event_kind::loaded, patience)) return "polling saw nothing";
    write_setting("/proc/sys/user/max_inotify_watches", "10000\n");
    const auto back = events.next(event_kind::warning, patience);
    if (!back || library.watching() != autoreload::watch_mode::inotify) return "it went on polling";
    return library->number() == 2 ? "" : "the wrong one was loaded";
  });
}

// No event tells of a mount. Whoever asks for a look brings it in, and then it is watched and judged like any other.
TEST(Exhaustion, OfEventsAtAMountOnTheWayEndsWithTheLookThatFindsIt) {
  in_a_child([]() -> std::string {
    const support::temp_directory directory;
    const std::filesystem::path build = directory.path() / "build";
    std::filesystem::create_directory(build);
    build_library(build / "lib.so", source(1));
    std::vector<std::string> next;
    for (int i = 2; i <= 4; ++i) {
      next.push_back(directory / ("next" + std::to_string(i)));
      build_library(next.back(), source(i));
    }
    const auto put = [&](int number) {
      std::filesystem::copy_file(next.at(static_cast<std::size_t>(number - 2)), build / "new.so");
      std::filesystem::rename(build / "new.so", build / "lib.so");
    };
    event_queue events;
    autoreload::options chosen = watched_by(events);
    chosen.drive = autoreload::drive_mode::manual;
    chosen.watch = autoreload::watch_mode::inotify;
    autoreload::reloadable<number_api> library(build / "lib.so", chosen);
    library.poll();
    if (unshare(CLONE_NEWNS) != 0 || mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        mount("none", build.c_str(), "tmpfs", 0, "mode=0755") != 0) {
      return "skip: file systems can't be mounted without root";
    }
    put(2);
    const auto asked = library.reload();
    if (!asked || library->number() != 2) return "reload() does not find what was mounted";
    library.poll();
    put(3);
    for (int i = 0; i < 3; ++i) library.poll();
    if (library->number() != 3) return "what is mounted is not watched";
    std::filesystem::permissions(build, std::filesystem::perms(0777));
    put(4);
    const auto refused = library.reload();
    if (refused) return "a directory that everybody may write to was not looked at";
    return refused.error().reason().find("everybody may write") != std::string::npos ? "" : refused.error().what();
  });
}

TEST(Exhaustion, WithoutProcItLoadsFromATemporaryFileThatLeavesNothingBehind) {
  in_a_child([]() -> std::string {
    const support::temp_directory directory;
    build_library(directory / "lib.so", source(1));
    build_library(directory / "two.so", source(2));
    std::filesystem::create_directory(directory.path() / "tmp");
    setenv("TMPDIR", (directory / "tmp").c_str(), 1);
    unsetenv("XDG_RUNTIME_DIR");
    if (unshare(CLONE_NEWNS) != 0 || mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        umount2("/proc", MNT_DETACH) != 0) {
      return "skip: /proc can't be taken away without root";
    }
    event_queue events;
    autoreload::reloadable<number_api> library(directory / "lib.so", watched_by(events));
    if (!library.loaded()) return library.last_failure()->what();
    std::filesystem::rename(directory / "two.so", directory / "lib.so");
    if (!events.next(event_kind::loaded, patience) || !events.next(event_kind::loaded, patience)) return "no reload";
    if (library->number() != 2) return "the wrong one was loaded";
    return std::filesystem::is_empty(directory.path() / "tmp") ? "" : "a file stayed behind";
  });
}

TEST(Exhaustion, OfRoomForTheCopySaysWhereItLookedAndRecovers) {
  in_a_child([]() -> std::string {
    const support::temp_directory directory;
    build_library(directory / "lib.so", source(1));
    build_library(directory / "two.so", source(2));
    std::filesystem::create_directory(directory.path() / "tmp");
    setenv("TMPDIR", (directory / "tmp").c_str(), 1);
    unsetenv("XDG_RUNTIME_DIR");
    const auto cover = [](const char* place) { return mount("tmpfs", place, "tmpfs", MS_RDONLY, nullptr) == 0; };
    if (unshare(CLONE_NEWNS) != 0 || mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        umount2("/proc", MNT_DETACH) != 0 || !cover("/dev/shm") || !cover("/var/tmp") ||
        !cover((directory / "tmp").c_str())) {
      return "skip: file systems can't be mounted without root";
    }
    if (!directory.path().native().starts_with("/tmp/")) return "skip: the test's own directory is not below /tmp";
    // /tmp itself: a read-only view, but for the library's directory.
    if (mount("/tmp", "/tmp", nullptr, MS_BIND | MS_REC, nullptr) != 0 || chdir(directory.path().c_str()) != 0 ||
        mount("none", "/tmp", nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY, nullptr) != 0) {
      return "skip: /tmp can't be made read-only";
    }
    event_queue events;
    autoreload::reloadable<number_api> library(directory / "lib.so", watched_by(events));
    if (library.loaded()) return "it was loaded without any place for a copy";
    if (library.last_failure()->reason().find("no place for a private copy") == std::string::npos) {
      return library.last_failure()->what();
    }
    umount2((directory / "tmp").c_str(), MNT_DETACH);
    mount("none", "/tmp", nullptr, MS_REMOUNT | MS_BIND, nullptr);
    if (!events.next(event_kind::loaded, patience)) return "it was not loaded when there was room again";
    return library->number() == 1 ? "" : "the wrong one was loaded";
  });
}

// Where there is neither memfd nor room on any disk, and for whatever is refused on the way: no file stays behind.
TEST(Exhaustion, OfDiskSpaceSaysSoLeavesNothingBehindAndRecovers) {
  in_a_child([]() -> std::string {
    const support::temp_directory directory;
    build_library(directory / "lib.so", "static const char filled[1 << 20] = {1};" + source(1) +
                                            "const char* at(int i) { return filled + i; }");
    std::filesystem::create_directory(directory.path() / "tmp");
    setenv("XDG_RUNTIME_DIR", (directory / "tmp").c_str(), 1);
    const auto size = [&](const char* options, unsigned long flags) {
      return mount("tmpfs", (directory / "tmp").c_str(), "tmpfs", flags, options) == 0;
    };
    if (unshare(CLONE_NEWNS) != 0 || mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        umount2("/proc", MNT_DETACH) != 0 || !size("size=64k", 0)) {
      return "skip: file systems can't be mounted without root";
    }
    event_queue events;
    autoreload::reloadable<number_api> library(directory / "lib.so", watched_by(events));
    if (library.loaded()) return "it was loaded from a full disk";
    if (library.last_failure()->system() != "No space left on device") return library.last_failure()->what();
    if (!std::filesystem::is_empty(directory.path() / "tmp")) return "a part of the copy stayed behind";
    if (!size("size=8m", MS_REMOUNT)) return "skip: a tmpfs can't grow";
    if (!events.next(event_kind::loaded, patience)) return "it was not loaded when there was room again";
    return std::filesystem::is_empty(directory.path() / "tmp") ? "" : "a file stayed behind";
  });
}

TEST(Exhaustion, WithoutProcWhatTheGuardRefusesLeavesNoFileBehind) {
  struct no_friend : autoreload::abi_checker {
    autoreload::guard_verdict check(const autoreload::guard_request&) override { return {true, {"no"}, {}}; }
  };
  in_a_child([]() -> std::string {
    const support::temp_directory directory;
    build_library(directory / "lib.so", source(1));
    std::filesystem::create_directory(directory.path() / "tmp");
    setenv("XDG_RUNTIME_DIR", (directory / "tmp").c_str(), 1);
    if (unshare(CLONE_NEWNS) != 0 || mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        umount2("/proc", MNT_DETACH) != 0) {
      return "skip: /proc can't be taken away without root";
    }
    autoreload::options chosen;
    chosen.guard = std::make_shared<no_friend>();
    autoreload::reloadable<number_api> library(directory / "lib.so", chosen);
    if (library.loaded()) return "the guard was not asked";
    return std::filesystem::is_empty(directory.path() / "tmp") ? "" : "a file stayed behind";
  });
}

}  // namespace
