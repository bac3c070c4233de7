// SPDX-License-Identifier: MIT
// own_place_test: where the private copy lives, what a library finds that looks for itself, and that nobody else can
// change the one or the other.
#include <dlfcn.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <autoreload/autoreload.hpp>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>

#include "engine_support.hpp"
#include "system/unique_fd.hpp"

using namespace std::chrono_literals;
using autoreload::event_kind;
using autoreload::loader_name;
namespace fs = std::filesystem;

namespace {

struct place_api {
  autoreload::required_as<"number", int()> number;
  autoreload::optional_as<"where", const char*()> where;      // as dladdr says
  autoreload::optional_as<"open_plugin", int()> open_plugin;  // by $ORIGIN
};
using library = autoreload::reloadable<place_api>;

constexpr const char* look_around =
    "#define _GNU_SOURCE\n#include <dlfcn.h>\n#include <stddef.h>\n"
    "const char *where(void) { static int here; Dl_info info; dladdr(&here, &info); return info.dli_fname; }\n"
    "int open_plugin(void) {\n"
    "  void *plugin = dlopen(\"libplugin.so\", RTLD_NOW);\n"
    "  return plugin == NULL ? -1 : ((int (*)(void))dlsym(plugin, \"plugged\"))();\n"
    "}\n";

std::string says(int number) { return "int number(void) { return " + std::to_string(number) + "; }\n"; }

class OwnPlace : public testing::Test {
 protected:
  void build(const std::string& name, const std::string& source, const std::string& flags = "") {
    support::build_library(directory_ / name, source, flags + " '-Wl,-rpath,$ORIGIN' -ldl");
  }
  void build_plugin() { build("libplugin.so", "int plugged(void) { return 42; }"); }
  autoreload::options watched() {
    autoreload::options chosen = support::anywhere();
    chosen.drive = autoreload::drive_mode::manual;
    chosen.observer = events_.observer();
    return chosen;
  }
  [[nodiscard]] std::size_t hidden_files() const {
    return static_cast<std::size_t>(std::count_if(fs::directory_iterator(directory_.path()), {}, [](const auto& entry) {
      return entry.path().filename().native().starts_with(".");
    }));
  }
  std::string warnings() {
    std::string all;
    while (const auto one = events_.next(event_kind::warning, 0ms)) all += one->text + "\n";
    return all;
  }
  // What it says is that of a library loaded by its own path.
  void expect_at_home(const library& lib) {
    const fs::path here = lib->where();
    EXPECT_EQ(here.parent_path(), directory_.path()) << "dladdr";
    EXPECT_EQ(fs::canonical(here).parent_path(), directory_.path()) << "realpath";
    EXPECT_EQ(lib->open_plugin(), 42) << "$ORIGIN";
    EXPECT_GE(support::mappings(here), 2U) << "/proc/self/maps";
  }

  support::temp_directory directory_;
  const std::string path_ = directory_ / "lib.so";
  autoreload::event_queue events_;
};

// ---- a library that looks for itself

TEST_F(OwnPlace, OfALibraryThatLooksForItselfIsItsDirectory) {
  build_plugin();
  build("lib.so", look_around + says(1));
  {
    library lib(path_, watched());
    ASSERT_TRUE(lib.loaded()) << lib.last_failure()->what();
    expect_at_home(lib);
    for (int number = 2; number < 5; ++number) {
      build("lib.so", look_around + says(number));
      EXPECT_TRUE(support::comes_true([&] { return lib.poll(), lib->number() == number; }));
      expect_at_home(lib);
      EXPECT_TRUE(support::comes_true([&] { return lib.poll(), hidden_files() == 1; })) << "that of the running one";
    }
    EXPECT_EQ(warnings(), "");
    while (events_.next()) continue;
    lib.poll();
    EXPECT_FALSE(events_.next()) << "its own files are no news";
  }
  EXPECT_EQ(hidden_files(), 0U);
}

TEST_F(OwnPlace, OfALibraryThatOpensOthersByOriginOnlyIsItsDirectory) {
  build_plugin();
  build("lib.so",
        "#include <dlfcn.h>\nint open_plugin(void) { return dlopen(\"libplugin.so\", RTLD_NOW) ? 42 : -1; }" + says(1));
  const library lib(path_, watched());
  EXPECT_EQ(lib->open_plugin(), 42);
}

TEST_F(OwnPlace, OfAnyOtherLibraryLeavesTheDirectoryAlone) {
  build("lib.so", says(1));
  const library lib(path_, watched());
  ASSERT_TRUE(lib.loaded());
  EXPECT_EQ(hidden_files(), 0U);
}

TEST_F(OwnPlace, IsForTheUserToChoose) {
  build_plugin();
  build("lib.so", look_around + says(1));
  autoreload::options chosen = watched();
  chosen.name = loader_name::descriptor;
  {
    const library lib(path_, chosen);
    EXPECT_TRUE(std::string(lib->where()).starts_with("/proc/")) << lib->where();
    EXPECT_EQ(hidden_files(), 0U);
  }
  build("lib.so", says(1));
  chosen.name = loader_name::beside;
  const library lib(path_, chosen);
  EXPECT_EQ(hidden_files(), 1U);
}

TEST_F(OwnPlace, IsTheDirectoryAlsoForConstructorsAndInATrialLoad) {
  build_plugin();
  build("lib.so", std::string(look_around) +
                      "#include <stdlib.h>\n"
                      "__attribute__((constructor)) static void begin(void) { if (open_plugin() != 42) abort(); }" +
                      says(1));
  autoreload::options chosen = watched();
  chosen.trial.enabled = true;
  const library lib(path_, chosen);
  ASSERT_TRUE(lib.loaded()) << lib.last_failure()->what();
  expect_at_home(lib);
}

TEST_F(OwnPlace, OfADependencyThatLooksForItselfIsItsDirectory) {
  build_plugin();
  build("libpart.so", look_around, "-Wl,-soname,libpart.so");
  build("lib.so", says(1), "-Wl,--no-as-needed '" + directory_ / "libpart.so" + "'");
  autoreload::options chosen = watched();
  chosen.trial.enabled = true;
  {
    const library lib(path_, chosen);
    ASSERT_TRUE(lib.loaded()) << lib.last_failure()->what();
    expect_at_home(lib);
    EXPECT_EQ(hidden_files(), 1U);
  }
  EXPECT_EQ(hidden_files(), 0U);
}

TEST_F(OwnPlace, ThatCantBeMadeIsSaidAndTheLibraryRunsAllTheSame) {
  build("lib.so", look_around + says(1));
  support::in_child([&] {
    if ((unshare(CLONE_NEWNS) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) ||
        mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        mount(directory_.path().c_str(), directory_.path().c_str(), nullptr, MS_BIND, nullptr) != 0 ||
        mount("none", directory_.path().c_str(), nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY, nullptr) != 0) {
      GTEST_SKIP() << "needs the right to mount";
    }
    const library lib(path_, watched());
    EXPECT_EQ(lib->number(), 1);
    const std::string said = warnings();
    EXPECT_NE(said.find("no copy can be made beside it (Read-only file system)"), std::string::npos) << said;
    EXPECT_NE(said.find("options::name"), std::string::npos) << said;
  });
}

// In a directory in which others may lead a name to their own file, none is made to be opened by its name.
TEST_F(OwnPlace, IsNoneThatOthersMayReplace) {
  build("lib.so", look_around + says(1));
  fs::permissions(directory_.path(), fs::perms(0777));
  autoreload::options chosen = watched();
  chosen.trust.check_directories = false;
  const library lib(path_, chosen);
  EXPECT_EQ(lib->number(), 1);
  EXPECT_TRUE(std::string(lib->where()).starts_with("/proc/")) << lib->where();
  EXPECT_EQ(hidden_files(), 0U);
  const std::string said = warnings();
  EXPECT_NE(said.find("everybody may write to its directory"), std::string::npos) << said;
}

TEST_F(OwnPlace, ThatAKilledProcessLeftIsTidiedByTheNextAndThatOfALivingOneIsNot) {
  build("lib.so", look_around + says(1));
  const auto run = [&](int& ready) {
    std::array<int, 2> told{};
    EXPECT_EQ(pipe2(told.data(), O_CLOEXEC), 0);
    const pid_t child = fork();
    if (child == 0) {
      alarm(support::patience.count());
      const library lib(path_, watched());
      EXPECT_EQ(write(told[1], "x", 1), 1);
      for (;;) pause();
    }
    close(told[1]);
    char byte = 0;
    EXPECT_EQ(read(told[0], &byte, 1), 1);
    ready = told[0];
    return child;
  };
  const auto kill_it = [](pid_t child) {
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
  };
  int living = -1, killed = -1;
  const pid_t first = run(living);
  kill_it(run(killed));
  EXPECT_EQ(hidden_files(), 2U);
  {
    const library lib(path_, watched());
    EXPECT_EQ(hidden_files(), 2U) << "its own and that of the living one";
  }
  EXPECT_EQ(hidden_files(), 1U);
  kill_it(first);
  close(living);
  close(killed);
}

// ---- where there is no memfd

bool without_memfd() {
  sock_filter steps[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_memfd_create, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program{4, steps};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

class WithoutMemfd : public OwnPlace {
 protected:
  WithoutMemfd() {
    fs::create_directory(temporary_);
    build("lib.so", look_around + says(1));
  }
  // In a child: the environment is for the copy alone.
  void use_it() {
    setenv("TMPDIR", temporary_.c_str(), 1);
    unsetenv("XDG_RUNTIME_DIR");
  }
  autoreload::options by_descriptor() {
    autoreload::options chosen = watched();
    chosen.name = loader_name::descriptor;
    return chosen;
  }
  // What becomes of files in the temporary directory.
  class witness {
   public:
    explicit witness(const fs::path& directory) {
      inotify_add_watch(inotify_.get(), directory.c_str(), IN_CREATE | IN_OPEN);
    }
    [[nodiscard]] bool saw_a_name() const {
      alignas(inotify_event) char events[4096];
      const ssize_t size = read(inotify_.get(), events, sizeof events);
      for (ssize_t at = 0; at < size;) {
        const auto* const one = reinterpret_cast<const inotify_event*>(events + at);
        if ((one->mask & IN_CREATE) != 0) return true;
        at += static_cast<ssize_t>(sizeof(inotify_event) + one->len);
      }
      return false;
    }

   private:
    autoreload::unique_fd inotify_{inotify_init1(IN_CLOEXEC | IN_NONBLOCK)};
  };

  const fs::path temporary_ = directory_.path() / "tmp";
};

// Whoever may write to that directory has no name to lead elsewhere between the write and the dlopen.
TEST_F(WithoutMemfd, TheCopyIsAFileWithoutANameInADirectoryOfWhateverMode) {
  support::in_child([&] {
    fs::permissions(temporary_, fs::perms(0777));
    use_it();
    if (!without_memfd()) GTEST_SKIP() << "no seccomp";
    const witness files(temporary_);
    library lib(path_, by_descriptor());
    ASSERT_TRUE(lib.loaded()) << lib.last_failure()->what();
    EXPECT_TRUE(std::string(lib->where()).starts_with("/proc/")) << std::string(lib->where());
    EXPECT_FALSE(files.saw_a_name());
    build("lib.so", look_around + says(2));
    EXPECT_TRUE(support::comes_true([&] { return lib.poll(), lib->number() == 2; }));
    EXPECT_TRUE(fs::is_empty(temporary_));
  });
}

TEST_F(WithoutMemfd, AndProcTheCopyHasANameOnlyWhereNobodyElseCanChangeIt) {
  support::in_child([&] {
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        umount2("/proc", MNT_DETACH) != 0) {
      GTEST_SKIP() << "needs the right to unmount";
    }
    use_it();
    for (const auto& [mode, taken] : {std::pair(0700, true), std::pair(0777, false), std::pair(01777, true)}) {
      ASSERT_EQ(chmod(temporary_.c_str(), static_cast<mode_t>(mode)), 0);
      const library lib(path_, by_descriptor());
      ASSERT_TRUE(lib.loaded()) << lib.last_failure()->what();
      EXPECT_EQ(std::string(lib->where()).starts_with(temporary_.native()), taken)
          << std::oct << mode << " " << std::string(lib->where());
      EXPECT_TRUE(fs::is_empty(temporary_));
    }
  });
}

}  // namespace
