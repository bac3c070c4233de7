// SPDX-License-Identifier: MIT
// watch_test: whatever way a new library takes to its path, it is seen, by inotify and by polling.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/fuse.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>

#include "engine_support.hpp"
#include "reload/watch/watch.hpp"
#include "system/unique_fd.hpp"

using namespace std::chrono_literals;
using autoreload::event_kind;
using autoreload::stage;
using autoreload::watch;
using autoreload::watch_hub;
using autoreload::watch_mode;
using support::library;
using support::put;
using support::stamped;
namespace fs = std::filesystem;

namespace {

class Watch : public support::EngineTest, public testing::WithParamInterface<watch_mode> {
 protected:
  Watch() : EngineTest(support::open_to_all()) {}
  [[nodiscard]] autoreload::options watching() {
    autoreload::options chosen = background();
    chosen.watch = GetParam();
    chosen.poll_interval = 5ms;
    return chosen;
  }
  // Each arrival is waited for, so that none hides behind the next.
  void expect_build(const library& lib, std::uint64_t build) {
    while (lib.generation() == 0 || lib->stamp() != build) {
      if (!events_.next(event_kind::loaded, support::patience)) {
        const auto why = lib.last_failure();
        FAIL() << "build " << build << " was not seen; " << (why ? why->what() : "no failure");
      }
    }
  }
  void make(const fs::path& at, std::uint64_t build) {
    fs::create_directories(at.parent_path());
    put(at.string(), build);
  }
  // Runs `body` in a child that belongs to another user. What it is given calls `mend` in this process, which is
  // root's.
  template <class Body>
  void as_another_user(const std::function<void()>& mend, Body body) {
    if (support::thread_sanitized) GTEST_SKIP() << support::no_threads_after_fork;
    if (geteuid() != 0) GTEST_SKIP() << "root may read everything, others can't make what they may not read";
    fs::permissions(root_, fs::perms(0755));
    std::array<int, 2> asked{};
    ASSERT_EQ(pipe2(asked.data(), O_CLOEXEC), 0);
    const pid_t mender = fork();  // no thread: the next fork would leave the child what that one holds at that moment
    ASSERT_GE(mender, 0);
    if (mender == 0) {
      close(asked[1]);
      char byte = 0;
      if (read(asked[0], &byte, 1) == 1) mend();
      support::keep_counters();
      _exit(0);
    }
    support::in_child([&] {
      ASSERT_EQ(setresuid(54'321, 54'321, 54'321), 0);
      body([&] { EXPECT_EQ(write(asked[1], "x", 1), 1); });
    });
    close(asked[1]);
    EXPECT_EQ(waitpid(mender, nullptr, 0), mender);
    close(asked[0]);
  }
  void link(const fs::path& target, const fs::path& at) {  // as ln -sfn
    fs::create_symlink(target, at.string() + ".new");
    fs::rename(at.string() + ".new", at);
  }

  const fs::path root_ = directory_.path();
};

INSTANTIATE_TEST_SUITE_P(By, Watch, testing::Values(watch_mode::inotify, watch_mode::polling),
                         [](const auto& mode) { return std::string(to_string(mode.param)); });

// ---- the file

TEST_P(Watch, AFileRenamedOverIt) {
  put(path_, 1);
  const library lib(path_, watching());
  EXPECT_EQ(lib.watching(), GetParam());
  for (std::uint64_t build = 2; build < 6; ++build) {
    put(path_, build);
    expect_build(lib, build);
  }
}

TEST_P(Watch, AFileDeletedAndWrittenAgain) {
  put(path_, 1);
  const library lib(path_, watching());
  for (std::uint64_t build = 2; build < 6; ++build) {
    fs::remove(path_);
    support::write_file(path_, stamped(libraries::plain, build));
    expect_build(lib, build);
  }
}

TEST_P(Watch, AFileWrittenInPlace) {
  put(path_, 1);
  const library lib(path_, watching());
  for (std::uint64_t build = 2; build < 6; ++build) {
    support::write_file(path_, stamped(libraries::plain, build));  // the same inode
    expect_build(lib, build);
  }
}

TEST_P(Watch, AFileWrittenInPlaceWithoutBeingTruncated) {
  put(path_, 1);
  const library lib(path_, watching());
  for (std::uint64_t build = 2; build < 6; ++build) {
    std::fstream(path_, std::ios::binary | std::ios::in | std::ios::out) << stamped(libraries::plain, build);
    expect_build(lib, build);
  }
}

TEST_P(Watch, AFileWrittenThroughAMapping) {
  put(path_, 1);
  const library lib(path_, watching());
  for (std::uint64_t build = 2; build < 6; ++build) {
    const std::string bytes = stamped(libraries::plain, build);
    fs::remove(path_);
    const int file = open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0755);
    ASSERT_GE(file, 0);
    ASSERT_EQ(ftruncate(file, static_cast<off_t>(bytes.size())), 0);
    void* const memory = mmap(nullptr, bytes.size(), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    ASSERT_NE(memory, MAP_FAILED);
    close(file);
    std::memcpy(memory, bytes.data(), bytes.size());
    munmap(memory, bytes.size());
    expect_build(lib, build);
  }
}

TEST_P(Watch, AHardLinkInItsPlace) {
  put(path_, 1);
  const library lib(path_, watching());
  for (std::uint64_t build = 2; build < 6; ++build) {
    const std::string other = directory_ / ("build" + std::to_string(build));
    put(other, build);
    fs::remove(path_);
    fs::create_hard_link(other, path_);
    expect_build(lib, build);
  }
}

TEST_P(Watch, AFileWrittenInPlaceThroughANameInAnotherDirectory) {
  const fs::path other = root_ / "elsewhere" / "lib.so";
  make(other, 1);
  fs::create_hard_link(other, path_);
  const library lib(path_, watching());
  EXPECT_EQ(lib.watching(), GetParam());
  for (std::uint64_t build = 2; build < 8; build += 2) {
    support::write_file(other, stamped(libraries::plain, build));
    expect_build(lib, build);
    make(other, build + 1);  // now the names are of two files: the one that was watched no longer counts
    fs::remove(path_);
    fs::create_hard_link(other, path_);
    expect_build(lib, build + 1);
  }
}

// A single file mounted over another (docker run -v FILE:FILE, a subPath of Kubernetes). The kernel tells of writes in
// the directory of the mounted file, by whichever of the two names they come.
TEST_P(Watch, AFileThatIsMountedOverItsName) {
  if (support::thread_sanitized) GTEST_SKIP() << support::no_threads_after_fork;
  make(root_ / "source" / "lib.so", 1);
  make(root_ / "app" / "lib.so", 9);
  fs::create_symlink("app/lib.so", root_ / "link.so");
  support::in_child([&] {
    const std::string mounted = root_ / "app" / "lib.so";
    if ((unshare(CLONE_NEWNS) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) ||
        mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        mount((root_ / "source" / "lib.so").c_str(), mounted.c_str(), nullptr, MS_BIND, nullptr) != 0) {
      GTEST_SKIP() << "needs the right to mount";
    }
    for (const fs::path& at : {fs::path(mounted), root_ / "link.so"}) {
      support::write_file(mounted, stamped(libraries::plain, 1));
      autoreload::options chosen = watching();
      if (GetParam() == watch_mode::inotify) chosen.watch = watch_mode::automatic;
      const library lib(at, chosen);
      EXPECT_EQ(lib.watching(), GetParam());
      expect_build(lib, 1);
      support::write_file(mounted, stamped(libraries::plain, 2));
      expect_build(lib, 2);
      support::write_file(root_ / "source" / "lib.so", stamped(libraries::plain, 3));
      expect_build(lib, 3);
    }
  });
}

TEST_P(Watch, AFileMovedFromAnotherDirectory) {
  put(path_, 1);
  const library lib(path_, watching());
  make(root_ / "elsewhere" / "lib.so", 2);
  fs::rename(root_ / "elsewhere" / "lib.so", path_);
  expect_build(lib, 2);
}

TEST_P(Watch, AFileThatWasADirectory) {
  fs::create_directories(path_);
  const library lib(path_, watching());
  EXPECT_FALSE(lib.loaded());
  fs::remove(path_);
  put(path_, 1);
  expect_build(lib, 1);
}

// ---- links

TEST_P(Watch, ALinkSwitchedToAnotherTarget) {
  make(root_ / "builds" / "1.so", 1);
  make(root_ / "builds" / "2.so", 2);
  link("builds/1.so", path_);
  const library lib(path_, watching());
  expect_build(lib, 1);
  link("builds/2.so", path_);
  expect_build(lib, 2);
  fs::remove(path_);
  fs::create_symlink(root_ / "builds" / "1.so", path_);
  expect_build(lib, 1);
}

TEST_P(Watch, TheTargetOfALinkOfALink) {
  make(root_ / "lib" / "libworker.so.1.2.3", 1);
  link("libworker.so.1.2.3", root_ / "lib" / "libworker.so.1");
  link("lib/libworker.so.1", path_);
  const library lib(path_, watching());
  expect_build(lib, 1);
  put(root_ / "lib" / "libworker.so.1.2.3", 2);
  expect_build(lib, 2);
  put(root_ / "lib" / "libworker.so.1.2.4", 3);
  link("libworker.so.1.2.4", root_ / "lib" / "libworker.so.1");
  expect_build(lib, 3);
  put(root_ / "lib" / "libworker.so.1.2.4", 4);
  expect_build(lib, 4);
}

TEST_P(Watch, ALinkWhoseTargetComesLater) {
  link("later/lib.so", path_);
  const library lib(path_, watching());
  EXPECT_FALSE(lib.loaded());
  make(root_ / "later" / "lib.so", 1);
  expect_build(lib, 1);
}

TEST_P(Watch, ALinkToADirectoryThatIsSwitched) {
  make(root_ / "release-1" / "lib.so", 1);
  make(root_ / "release-2" / "lib.so", 2);
  link("release-1", root_ / "current");
  const library lib(root_ / "current" / "lib.so", watching());
  expect_build(lib, 1);
  link("release-2", root_ / "current");
  expect_build(lib, 2);
  put(root_ / "release-2" / "lib.so", 3);
  expect_build(lib, 3);
  put(root_ / "release-1" / "lib.so", 4);
  link("release-1", root_ / "current");
  expect_build(lib, 4);
}

TEST_P(Watch, LinksThatLeadInACircleAreLeftAgain) {
  link("b", root_ / "a");
  link("a", root_ / "b");
  const library lib(root_ / "a", watching());
  EXPECT_FALSE(lib.loaded());
  ASSERT_TRUE(lib.last_failure());
  fs::remove(root_ / "b");
  put(root_ / "b", 1);
  expect_build(lib, 1);
}

// ---- directories

TEST_P(Watch, ADirectoryThatIsRemovedAndMadeAgain) {
  const fs::path at = root_ / "build" / "lib" / "libworker.so";
  make(at, 1);
  const library lib(at, watching());
  for (std::uint64_t build = 2; build < 6; ++build) {
    fs::remove_all(root_ / "build");
    make(at, build);
    expect_build(lib, build);
  }
}

TEST_P(Watch, DirectoriesThatComeOneByOne) {
  const fs::path at = root_ / "a" / "b" / "c" / "libworker.so";
  const library lib(at, watching());
  EXPECT_FALSE(lib.loaded());
  make(at, 1);
  expect_build(lib, 1);
}

TEST_P(Watch, ADirectoryThatIsRenamedAwayAndAnotherInItsPlace) {
  make(root_ / "build" / "lib.so", 1);
  make(root_ / "next" / "lib.so", 2);
  const library lib(root_ / "build" / "lib.so", watching());
  fs::rename(root_ / "build", root_ / "old");
  fs::rename(root_ / "next", root_ / "build");
  expect_build(lib, 2);
  put(root_ / "build" / "lib.so", 3);
  expect_build(lib, 3);
}

TEST_P(Watch, AGrandparentThatIsRenamedAwayAndAnotherInItsPlace) {
  make(root_ / "project" / "build" / "lib.so", 1);
  make(root_ / "other" / "build" / "lib.so", 2);
  const library lib(root_ / "project" / "build" / "lib.so", watching());
  fs::rename(root_ / "project", root_ / "away");
  fs::rename(root_ / "other", root_ / "project");
  expect_build(lib, 2);
  fs::rename(root_ / "project", root_ / "other");
  fs::rename(root_ / "away", root_ / "project");
  expect_build(lib, 1);
}

// A poll interval that nobody would wait for: it must not be polling that helps.
TEST_F(Watch, ADirectoryThatWasAFile) {
  autoreload::options chosen = background();
  chosen.poll_interval = 1h;
  support::write_file(root_ / "build", "not a directory yet");
  const library lib(root_ / "build" / "lib.so", chosen);
  EXPECT_EQ(lib.watching(), watch_mode::inotify);
  fs::remove(root_ / "build");
  make(root_ / "build" / "lib.so", 1);
  expect_build(lib, 1);
}

// As fast as it goes, so that directories vanish between being seen and being watched.
TEST_F(Watch, DirectoriesThatComeAndGoWithoutPauseAreNoReasonToPoll) {
  autoreload::options chosen = background();
  chosen.poll_interval = 1h;
  const fs::path at = root_ / "build" / "lib" / "libworker.so";
  const std::string bytes = stamped(libraries::plain, 1);
  const library lib(at, chosen);
  for (int round = 0; round < 300; ++round) {
    fs::create_directories(at.parent_path());
    if (round % 3 == 0) support::write_file(at, bytes);
    fs::remove_all(root_ / "build");
  }
  make(at, 2);
  expect_build(lib, 2);
  EXPECT_EQ(lib.watching(), watch_mode::inotify);
  EXPECT_EQ(events_.next(event_kind::warning, 0ms), std::nullopt);
}

// ---- paths

TEST_P(Watch, APathWithDots) {
  make(root_ / "build" / "lib.so", 1);
  fs::create_directories(root_ / "src" / "deep");
  const library lib((root_ / "src" / "deep" / ".." / "." / ".." / "build" / "lib.so").string(), watching());
  expect_build(lib, 1);
  put(root_ / "build" / "lib.so", 2);
  expect_build(lib, 2);
}

TEST_P(Watch, DotsBehindALinkMeanTheParentOfItsTarget) {
  make(root_ / "real" / "build" / "lib.so", 1);
  fs::create_directories(root_ / "real" / "deep");
  fs::create_directories(root_ / "build");
  link("real/deep", root_ / "link");
  const library lib((root_ / "link" / ".." / "build" / "lib.so").string(), watching());
  expect_build(lib, 1);
  put(root_ / "real" / "build" / "lib.so", 2);
  expect_build(lib, 2);
}

// Changes the working directory for a test; others of this program are not running meanwhile.
class working_directory {
 public:
  explicit working_directory(const fs::path& here) { fs::current_path(here); }
  ~working_directory() { fs::current_path(before_); }
  working_directory(const working_directory&) = delete;
  working_directory& operator=(const working_directory&) = delete;

 private:
  const fs::path before_ = fs::current_path();
};

TEST_P(Watch, ARelativePath) {
  make(root_ / "build" / "lib.so", 1);
  const working_directory here(root_);
  const library lib("build/lib.so", watching());
  EXPECT_EQ(lib.path(), "build/lib.so");
  expect_build(lib, 1);
  put("build/lib.so", 2);
  expect_build(lib, 2);
}

TEST_P(Watch, ABareName) {
  put(path_, 1);
  const working_directory here(root_);
  const library lib("libworker.so", watching());
  expect_build(lib, 1);
  put("libworker.so", 2);
  expect_build(lib, 2);
}

// A program that becomes a daemon, or changes its working directory for another reason, means the library that it
// named.
TEST_P(Watch, ARelativePathOfAHostThatGoesElsewhere) {
  make(root_ / "build" / "lib.so", 1);
  const working_directory here(root_);
  library lib("build/lib.so", watching());
  expect_build(lib, 1);
  fs::create_directories(root_ / "elsewhere");
  fs::current_path(root_ / "elsewhere");
  put(root_ / "build" / "lib.so", 2);
  expect_build(lib, 2);
  EXPECT_TRUE(lib.reload());
  EXPECT_EQ(lib.last_failure(), std::nullopt);
  fs::remove(root_ / "build" / "lib.so");
  const auto gone = lib.reload();
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().path(), "build/lib.so") << "as the user named it";
}

TEST_P(Watch, APathWithSpacesAndOddLetters) {
  const fs::path at = root_ / "a directory \n with \xc3\xa9" / "lib worker'\".so";
  make(at, 1);
  const library lib(at, watching());
  expect_build(lib, 1);
  put(at, 2);
  expect_build(lib, 2);
}

// ---- who may read it

// install(1) makes the file for its owner alone first, and opens it to others when it is there.
TEST_P(Watch, AFileThatMayBeReadLater) {
  put(path_, 1);
  fs::permissions(path_, fs::perms(0600));
  as_another_user([&] { fs::permissions(path_, fs::perms(0644)); },
                  [&](const auto& ask_root) {
                    const library lib(path_, watching());
                    EXPECT_FALSE(lib.loaded());
                    ASSERT_TRUE(lib.last_failure());
                    EXPECT_EQ(lib.last_failure()->at(), stage::snapshot);
                    EXPECT_NE(lib.last_failure()->system().find("ermission"), std::string::npos);
                    ask_root();
                    expect_build(lib, 1);
                  });
}

TEST_P(Watch, ADirectoryThatMayBeEnteredLater) {
  const fs::path at = root_ / "outer" / "inner" / "lib.so";
  make(at, 1);
  fs::permissions(root_ / "outer", fs::perms(0));
  as_another_user([&] { fs::permissions(root_ / "outer", fs::perms(0755)); },
                  [&](const auto& ask_root) {
                    const library lib(at, watching());
                    EXPECT_FALSE(lib.loaded());
                    EXPECT_NE(lib.watching(), watch_mode::inotify) << "the file's directory is out of sight";
                    ask_root();
                    expect_build(lib, 1);
                    EXPECT_TRUE(support::comes_true([&] { return lib.watching() == GetParam(); }));
                  });
}

TEST_F(Watch, ADirectoryThatMayNotBeReadIsNoObstacleUnlessItHidesANameOfTheWay) {
  make(root_ / "closed" / "directory" / "lib.so", 1);
  make(root_ / "closed" / "lib.so", 1);
  link("directory", root_ / "closed" / "link");
  make(root_ / "closed" / "twice" / "directory" / "lib.so", 1);
  fs::permissions(root_ / "closed", fs::perms(0711));
  fs::permissions(root_ / "closed" / "twice", fs::perms(0711));
  as_another_user([] {},
                  [&](const auto&) {
                    const auto armed = [&](const char* file) {
                      return bool(watch(*watch_hub::make()).arm({root_ / "closed" / file}));
                    };
                    EXPECT_TRUE(armed("directory/lib.so")) << "the directory tells itself when it is moved";
                    EXPECT_FALSE(armed("lib.so")) << "the file may be replaced";
                    EXPECT_FALSE(armed("missing/lib.so")) << "the directory may come";
                    EXPECT_FALSE(armed("link/lib.so")) << "the link may be switched";
                    EXPECT_FALSE(armed("twice/directory/lib.so")) << "the first of two may be moved";
                  });
}

// ---- who else may write

// What the refusal advises to do is enough: nobody has to touch the file as well.
TEST_P(Watch, ADirectoryThatOthersMayWriteToUntilTheAdviceIsFollowed) {
  const fs::path at = root_ / "outer" / "inner" / "lib.so";
  make(at, 1);
  fs::permissions(root_ / "outer", fs::perms(0777));
  fs::permissions(root_ / "outer" / "inner", fs::perms(0777));
  const library lib(at, watching());
  EXPECT_EQ(lib.watching(), GetParam());
  for (const fs::path& directory : {root_ / "outer", root_ / "outer" / "inner"}) {
    EXPECT_TRUE(support::comes_true([&] {
      const auto why = lib.last_failure();
      return why && why->advice().starts_with("chmod o-w \"" + directory.string() + "\"");
    })) << directory;
    EXPECT_FALSE(lib.loaded());
    fs::permissions(directory, fs::perms(0755));
  }
  expect_build(lib, 1);
}

// As setfacl does it. False where the file system has no access lists.
bool set_access_list(const fs::path& directory) {
  struct entry {
    std::uint16_t tag, permissions;
    std::uint32_t id;
  };
  struct {
    std::uint32_t version = 2;
    std::array<entry, 5> entries;
  } const list{2, {{{0x01, 7, ~0U}, {0x02, 5, 54'321}, {0x04, 5, ~0U}, {0x10, 5, ~0U}, {0x20, 0, ~0U}}}};
  return setxattr(directory.c_str(), "system.posix_acl_access", &list, sizeof list, 0) == 0;
}

TEST_F(Watch, TheOwnerTheModeAndTheAccessListOfEachDirectoryOnTheWayCount) {
  make(root_ / "real" / "inner" / "lib.so", 1);
  link("real", root_ / "link");
  const auto hub = *watch_hub::make();
  watch watched(hub);
  const std::string path = root_ / "link" / "inner" / "lib.so";
  ASSERT_TRUE(watched.arm({path}));
  const auto expect_event = [&](const fs::path& of, const char* what) {
    hub->drain();
    EXPECT_TRUE(watched.take_changed()) << what << " of " << of;
    EXPECT_TRUE(watched.take_moved()) << what << " of " << of;
    const auto armed = watched.arm({path});
    EXPECT_TRUE(armed && !*armed) << "the way is the same";
    hub->drain();
    EXPECT_FALSE(watched.take_changed()) << "our own watching is no event";
  };
  for (const fs::path& directory : {root_, root_ / "real", root_ / "real" / "inner"}) {
    ASSERT_EQ(chmod(directory.c_str(), 0750), 0);
    expect_event(directory, "the mode");
    ASSERT_EQ(chown(directory.c_str(), geteuid(), getegid()), 0);
    expect_event(directory, "the owner");
    if (set_access_list(directory)) expect_event(directory, "the access list");
  }
}

// It need not be judged again as long as it is the same.
TEST_F(Watch, TheWayIsAnotherWhenSomethingOnItIsButNotWhenTheLibraryIs) {
  const fs::path at = root_ / "link" / "inner" / "lib.so";
  make(root_ / "real" / "inner" / "lib.so", 1);
  make(root_ / "other" / "inner" / "lib.so", 1);
  link("real", root_ / "link");
  const auto hub = *watch_hub::make();
  watch watched(hub);
  EXPECT_FALSE(watched.way()) << "nothing is watched yet";
  ASSERT_TRUE(watched.arm({at}));
  // What others do in the directories above is unread at any time, too.
  const auto way_once_all_is_read = [&] {
    const auto deadline = std::chrono::steady_clock::now() + support::patience;
    std::optional<std::uint64_t> way = watched.way();
    while (!way && std::chrono::steady_clock::now() < deadline) {
      hub->drain();
      way = watched.way();
    }
    return way;
  };
  std::optional<std::uint64_t> before = way_once_all_is_read();
  ASSERT_TRUE(before);
  put(at, 2);
  fs::permissions(at, fs::perms(0700));
  support::write_file(at.parent_path() / "another", "file");
  EXPECT_FALSE(watched.way()) << "nobody has read what happened";
  EXPECT_EQ(way_once_all_is_read(), before);
  ASSERT_TRUE(watched.arm({at}));
  EXPECT_EQ(way_once_all_is_read(), before);
  const auto expect_another = [&](const std::string& what) {
    EXPECT_FALSE(watched.way()) << what << " changed, and nobody has read it";
    hub->drain();
    EXPECT_FALSE(watched.way()) << what << " is not watched as it is now";
    ASSERT_TRUE(watched.arm({at}));
    const std::optional<std::uint64_t> now = way_once_all_is_read();
    EXPECT_TRUE(now) << what;
    EXPECT_NE(now, before) << what;
    before = now;
  };
  for (const fs::path& directory : {root_, root_ / "real", root_ / "real" / "inner"}) {
    ASSERT_EQ(chmod(directory.c_str(), 0750), 0);
    expect_another("the mode of " + directory.string());
    if (set_access_list(directory)) expect_another("the access list of " + directory.string());
  }
  link("other", root_ / "link");
  expect_another("the link");
  fs::rename(root_ / "other" / "inner", root_ / "other" / "gone");
  make(root_ / "other" / "inner" / "lib.so", 1);
  expect_another("the directory");
  ASSERT_EQ(close(hub->readable()), 0);
  EXPECT_FALSE(watched.way()) << "the descriptor is closed: nobody tells";
  expect_another("the watch");
}

// Not only when it is judged for the first time.
TEST_P(Watch, AWayThatOthersMayChangeSinceTheLastBuild) {
  const fs::path at = root_ / "current" / "lib.so";
  make(root_ / "one" / "lib.so", 1);
  make(root_ / "open" / "lib.so", 2);
  fs::permissions(root_ / "open", fs::perms(0777));
  link("one", root_ / "current");
  const library lib(at, watching());
  expect_build(lib, 1);
  const auto expect_refusal = [&](const fs::path& directory) {
    EXPECT_TRUE(support::comes_true([&] {
      const auto why = lib.last_failure();
      return why && why->advice().starts_with("chmod o-w \"" + directory.string() + "\"");
    })) << directory;
  };
  fs::permissions(root_ / "one", fs::perms(0777));
  put(at, 3);
  expect_refusal(root_ / "one");
  fs::permissions(root_ / "one", fs::perms(0755));
  expect_build(lib, 3);
  link("open", root_ / "current");
  expect_refusal(root_ / "open");
  link("one", root_ / "current");
  EXPECT_TRUE(support::comes_true([&] { return !lib.last_failure(); }));
  put(at, 4);
  expect_build(lib, 4);
  link("../open/lib.so", at);
  expect_refusal(root_ / "open");
  put(at, 5);
  expect_build(lib, 5);
  EXPECT_EQ(lib->stamp(), 5U);
}

// /tmp, say, is on many ways, and much happens in it.
TEST_F(Watch, WhatHappensToOtherNamesOfADirectoryOnTheWayIsNobodysBusiness) {
  make(root_ / "outer" / "inner" / "lib.so", 1);
  const auto hub = *watch_hub::make();
  watch watched(hub);
  ASSERT_TRUE(watched.arm({root_ / "outer" / "inner" / "lib.so"}));
  for (const fs::path& directory : {root_, root_ / "outer", root_ / "outer" / "inner"}) {
    support::write_file(directory / "another", "file");
    fs::create_directories(directory / "others" / "directory");
    for (const char* const name : {"another", "others"}) {
      fs::permissions(directory / name, fs::perms(0700));
      fs::last_write_time(directory / name, fs::file_time_type::clock::now());
    }
    fs::create_hard_link(directory / "another", directory / "again");
    fs::rename(directory / "again", directory / "elsewhere");
    fs::remove(directory / "another");
    fs::remove_all(directory / "others");
  }
  hub->drain();
  EXPECT_FALSE(watched.has_changed());
  EXPECT_FALSE(watched.take_moved());
}

// ---- where inotify doesn't see everything

// A FUSE file system with nothing in it, for this process and its children alone.
class empty_fuse {
 public:
  explicit empty_fuse(const fs::path& at) : at_(at) {
    const std::string options =
        "fd=" + std::to_string(device_.get()) + ",rootmode=40000,user_id=0,group_id=0,allow_other";
    mounted_ = device_ && unshare(CLONE_NEWNS) == 0 && mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
               mount("none", at.c_str(), "fuse", 0, options.c_str()) == 0;
    if (mounted_) server_ = std::jthread([this] { serve(); });
  }
  empty_fuse(const empty_fuse&) = delete;
  empty_fuse& operator=(const empty_fuse&) = delete;
  ~empty_fuse() {
    if (mounted_) umount2(at_.c_str(), MNT_FORCE | MNT_DETACH);  // and the server finds no device
  }
  [[nodiscard]] bool mounted() const { return mounted_; }

 private:
  void serve() {
    std::vector<char> request(FUSE_MIN_READ_BUFFER);
    while (read(device_.get(), request.data(), request.size()) >= static_cast<ssize_t>(sizeof(fuse_in_header))) {
      fuse_in_header head;
      std::memcpy(&head, request.data(), sizeof head);
      struct {
        fuse_out_header head{};
        union {
          fuse_init_out init;
          fuse_attr_out attributes;
          fuse_statfs_out system;
        } body{};
      } answer;
      answer.head.unique = head.unique;
      std::size_t size = 0;
      if (head.opcode == FUSE_FORGET) continue;
      if (head.opcode == FUSE_INIT) {
        answer.body.init.major = FUSE_KERNEL_VERSION;
        answer.body.init.minor = FUSE_KERNEL_MINOR_VERSION;
        answer.body.init.max_write = 4096;
        size = sizeof answer.body.init;
      } else if (head.opcode == FUSE_GETATTR) {
        answer.body.attributes.attr.ino = FUSE_ROOT_ID;
        answer.body.attributes.attr.mode = S_IFDIR | 0755;
        answer.body.attributes.attr.nlink = 2;
        size = sizeof answer.body.attributes;
      } else if (head.opcode == FUSE_STATFS) {
        size = sizeof answer.body.system;
      } else {
        answer.head.error = head.opcode == FUSE_LOOKUP ? -ENOENT : -ENOSYS;
      }
      answer.head.len = static_cast<std::uint32_t>(offsetof(decltype(answer), body) + size);
      if (write(device_.get(), &answer, answer.head.len) < 0) return;
    }
  }

  const fs::path at_;
  const autoreload::unique_fd device_{open("/dev/fuse", O_RDWR | O_CLOEXEC)};
  bool mounted_ = false;
  std::jthread server_;
};

// What is watched may lead to such a file system long after the start.
TEST_F(Watch, AWayThatLeadsToAFileSystemThatHidesChangesIsPolledAndNoLongerWhenItLeavesIt) {
  if (support::thread_sanitized) GTEST_SKIP() << support::no_threads_after_fork;
  fs::create_directories(root_ / "hiding");
  make(root_ / "plain" / "lib.so", 1);
  const fs::path at = root_ / "current" / "lib.so";
  support::in_child([&] {
    const empty_fuse system(root_ / "hiding");
    if (!system.mounted()) GTEST_SKIP() << "needs /dev/fuse and the right to mount";
    autoreload::options chosen = background();
    chosen.poll_interval = 5ms;
    const library lib(at, chosen);
    EXPECT_EQ(lib.watching(), watch_mode::inotify);
    link("hiding", root_ / "current");
    EXPECT_TRUE(support::comes_true([&] { return lib.watching() == watch_mode::polling; }));
    EXPECT_FALSE(watch(*watch_hub::make()).arm({root_ / "plain" / "lib.so", at})) << "that of a dependency counts, too";
    EXPECT_TRUE(watch(*watch_hub::make(), false).arm({at})) << "who asks for inotify gets it";
    link("plain", root_ / "current");
    expect_build(lib, 1);
    EXPECT_TRUE(support::comes_true([&] { return lib.watching() == watch_mode::inotify; }));
  });
}

// ---- many events

TEST_F(Watch, ALossOfEventsIsMadeUpFor) {
  const int most = std::stoi(support::read_file("/proc/sys/fs/inotify/max_queued_events"));
  make(root_ / "build" / "lib.so", 1);
  library lib(root_ / "build" / "lib.so", manual());
  // Nobody drains them. Equal events in a row would become one.
  const std::string names[] = {root_ / "build" / "a", root_ / "build" / "b"};
  for (const std::string& name : names) support::write_file(name, "");
  for (int i = 0; i < most + 100; ++i) {
    ASSERT_EQ(chmod(names[i % 2].c_str(), (i / 2) % 2 != 0 ? 0600 : 0644), 0);
  }
  // Lost: a new build, and that the whole directory is another one.
  fs::rename(root_ / "build", root_ / "old");
  make(root_ / "build" / "lib.so", 2);
  lib.poll();
  EXPECT_EQ(lib->stamp(), 2U);
  put(root_ / "build" / "lib.so", 3);
  lib.poll();
  EXPECT_EQ(lib->stamp(), 3U) << "the new directory is not watched";
}

TEST_F(Watch, OtherFilesOfTheDirectoryAreNobodysBusiness) {
  put(path_, 1);
  library lib(path_, manual());
  for (int i = 0; i < 100; ++i) put(directory_ / ("object" + std::to_string(i)), 2);
  fs::create_directories(root_ / "libworker.so.p");
  lib.poll();
  EXPECT_EQ(kinds(), "loaded");
}

TEST_P(Watch, TwoLibrariesOfOneDirectory) {
  const std::string other_path = directory_ / "libother.so";
  put(path_, 1);
  put(other_path, 1);
  const library lib(path_, watching());
  auto other = std::make_unique<library>(other_path, watching());
  for (std::uint64_t build = 2; build < 5; ++build) {
    put(path_, build);
    expect_build(lib, build);
    put(other_path, build);
    expect_build(*other, build);
  }
  other.reset();  // the directory is still watched for the first
  put(path_, 5);
  expect_build(lib, 5);
}

}  // namespace
