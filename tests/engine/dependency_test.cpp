// SPDX-License-Identifier: MIT
// dependency_test: whatever becomes of a library that the library needs, the running generation answers on, what is the
// matter is said, and the reload goes through when it is mended.
#include <dlfcn.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <unistd.h>

#include <autoreload/autoreload.hpp>
#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "../support.hpp"
#include "../with_digest.hpp"
#include "reload/dependencies/dependencies.hpp"

using namespace std::chrono_literals;
using autoreload::event_kind;
using autoreload::stage;
using support::with_digest;
namespace fs = std::filesystem;

namespace {

struct number_api {
  autoreload::required_as<"number", int()> number;
};
using library = autoreload::reloadable<number_api>;

const std::string by_origin = " '-Wl,-rpath,$ORIGIN'";

std::string named(const std::string& soname) { return " -Wl,-soname," + soname; }

std::string returns(const std::string& function, int value) {
  return "int " + function + "(void) { return " + std::to_string(value) + "; }";
}

std::string calls(const std::string& function, const std::string& other, const std::string& answer) {
  return "int " + other + "(void); int " + function + "(void) { return " + answer + "; }";
}

class Dependency : public testing::Test {
 protected:
  // What most tests put together, built once: lib.so says 10 more than libpart.so, which says its number or, as
  // `middle`, that of libdeep.so. Nothing is loaded from the shop.
  static void SetUpTestSuite() {
    shop_ = std::make_unique<support::temp_directory>();
    for (int value = 1; value <= 3; ++value) {
      build("part" + std::to_string(value), returns("part", value), named("libpart.so"));
      build("deep" + std::to_string(value), returns("deep", value), named("libdeep.so"));
    }
    build("counts", "int part(void) { static int calls; return ++calls; }", named("libpart.so"));
    build("middle", calls("part", "deep", "deep()"), named("libpart.so") + with("deep1") + by_origin);
    build("lib", calls("number", "part", "10 + part()"), named("lib.so") + with("part1") + by_origin);
  }
  static void TearDownTestSuite() { shop_.reset(); }

  static std::string built(const std::string& name) { return *shop_ / (name + ".so"); }
  // With every library that is named, used or not.
  static void build(const std::string& name, const std::string& source, const std::string& flags) {
    support::build_library(built(name), source, "-Wl,--no-as-needed " + flags);
  }
  static std::string with(const std::string& name) { return " '" + built(name) + "'"; }

  // Renamed into place, as lld and mold do.
  void put(const std::string& name, const std::string& as) { put_bytes(support::read_file(built(name)), as); }
  void put_bytes(const std::string& bytes, const std::string& as) {
    support::write_file(directory_ / (as + ".new"), bytes);
    fs::rename(directory_ / (as + ".new"), directory_ / as);
  }

  void open() { library_.emplace(directory_ / "lib.so", driven_by_hand()); }
  autoreload::options driven_by_hand() {
    autoreload::options chosen;
    chosen.drive = autoreload::drive_mode::manual;
    chosen.observer = events_.observer();
    return chosen;
  }

  // Whether it comes to that, with what the engine does by itself.
  template <class Condition>
  bool until(Condition holds, std::chrono::milliseconds patience = support::patience) {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    pollfd waiting{library_->descriptor(), POLLIN, 0};
    for (;;) {
      library_->poll();
      if (holds()) return true;
      if (std::chrono::steady_clock::now() > deadline) return false;
      ::poll(&waiting, 1, 20);
    }
  }

  auto told(event_kind kind) {
    return [this, kind] { return events_.next(kind, 0ms).has_value(); };
  }

  [[nodiscard]] int number() const { return (*library_)->number(); }
  [[nodiscard]] std::string failure() const {
    return library_->last_failure() ? library_->last_failure()->what() : "no failure";
  }

  void runs(int expected) {
    EXPECT_TRUE(until([&] { return library_->loaded() && !library_->last_failure() && number() == expected; }))
        << "it should say " << expected << ": " << failure();
  }

  // What is refused or waited for is said with its cause and what to do about it, and `still` answers.
  void fails(stage at, const std::string& reason, const std::string& advice, int still) {
    const auto said = [&] {
      const auto why = library_->last_failure();
      return why && why->reason().find(reason) != std::string::npos;
    };
    ASSERT_TRUE(until(said)) << "expected: " << reason << "\ngot: " << failure();
    const autoreload::error why = *library_->last_failure();
    EXPECT_EQ(why.at(), at) << why.what();
    EXPECT_EQ(why.path(), directory_ / "lib.so");
    EXPECT_NE(why.advice().find(advice), std::string::npos) << why.what();
    EXPECT_EQ(number(), still) << why.what();
  }

  std::string its(const std::string& name) { return "its dependency \"" + directory_ / name + "\""; }

  static std::unique_ptr<support::temp_directory> shop_;
  support::temp_directory directory_{support::open_to_all()};
  autoreload::event_queue events_;
  std::optional<library> library_;
};
std::unique_ptr<support::temp_directory> Dependency::shop_;

// ---- its file

TEST_F(Dependency, HalfWrittenIsWaitedForUntilItIsWhole) {
  put("part1", "libpart.so");
  put("lib", "lib.so");
  open();
  runs(11);
  EXPECT_TRUE(told(event_kind::loaded)());
  const std::string whole = support::read_file(built("part2"));
  for (const std::size_t length : {std::size_t{0}, std::size_t{16}, whole.size() / 2, whole.size() - 1}) {
    put_bytes(whole.substr(0, length), "libpart.so");
    fails(stage::snapshot, its("libpart.so") + " can't be used", "", 11);
  }
  std::optional<autoreload::event> next;
  ASSERT_TRUE(until([&] { return (next = events_.next()).has_value(); })) << "it lasts, and nobody is told";
  EXPECT_EQ(next->kind, event_kind::waiting) << next->text;
  put("part2", "libpart.so");
  runs(12);
}

TEST_F(Dependency, HalfWrittenFromTheStartIsLoadedWhenItIsWhole) {
  put_bytes(support::read_file(built("part1")).substr(0, 1000), "libpart.so");
  put("lib", "lib.so");
  open();
  EXPECT_FALSE(library_->loaded());
  put("part1", "libpart.so");
  runs(11);
}

TEST_F(Dependency, DamagedIsRefusedOnceForEachBuild) {
  put("part1", "libpart.so");
  put("lib", "lib.so");
  open();
  runs(11);
  std::string damaged = support::read_file(built("part2"));
  damaged[18] = 8;  // e_machine: MIPS
  for (int build = 0; build < 2; ++build) {
    put_bytes(damaged, "libpart.so");
    fails(stage::snapshot, its("libpart.so") + " can't be used", "", 11);
    const auto refused = events_.next(event_kind::refused, support::patience);
    ASSERT_TRUE(refused);
    EXPECT_NE(refused->text.find(its("libpart.so")), std::string::npos) << refused->text;
    put("lib", "another.so");  // an event in the directory
    library_->poll();
    EXPECT_EQ(events_.next(event_kind::refused, 0ms), std::nullopt) << "said already";
  }
  put("part2", "libpart.so");
  runs(12);
}

TEST_F(Dependency, ThatAnybodyMayWriteIsRefusedUntilNobodyElseMay) {
  put("part1", "libpart.so");
  put("lib", "lib.so");
  open();
  runs(11);
  put("part2", "libpart.so");
  fs::permissions(directory_ / "libpart.so", fs::perms(0666));
  fails(stage::snapshot, its("libpart.so") + " can't be used", "chmod", 11);
  fs::permissions(directory_ / "libpart.so", fs::perms(0644));
  runs(12);
}

TEST_F(Dependency, InADirectoryThatAnybodyMayWriteIsRefusedUntilNobodyElseMay) {
  fs::create_directories(directory_ / "parts");
  fs::permissions(directory_ / "parts", fs::perms(0777));
  put("part1", "parts/libpart.so");
  build("apart", calls("number", "part", "10 + part()"), with("part1") + " '-Wl,-rpath,$ORIGIN/parts'");
  put("apart", "lib.so");
  open();
  ASSERT_TRUE(library_->last_failure());
  EXPECT_NE(library_->last_failure()->advice().find("chmod o-w"), std::string::npos) << failure();
  fs::permissions(directory_ / "parts", fs::perms(0755));
  runs(11);
}

TEST_F(Dependency, ThatTheLoaderRefusesIsNamedWithTheLoadersWords) {
  put("part1", "libpart.so");
  put("lib", "lib.so");
  open();
  runs(11);
  build("lacking", calls("part", "nowhere_to_be_found", "nowhere_to_be_found()"), named("libpart.so"));
  put("lacking", "libpart.so");
  fails(stage::load, "dlopen refused " + its("libpart.so"), "", 11);
  EXPECT_NE(library_->last_failure()->system().find("nowhere_to_be_found"), std::string::npos) << failure();
  put("part2", "libpart.so");
  runs(12);
}

TEST_F(Dependency, ThatSomebodyWritesIsWaitedForUntilTheyCloseIt) {
  put("part1", "libpart.so");
  put("lib", "lib.so");
  open();
  runs(11);
  put("part2", "libpart.so");
  const int writer = ::open((directory_ / "libpart.so").c_str(), O_WRONLY | O_CLOEXEC);
  ASSERT_GE(writer, 0);
  fails(stage::snapshot, its("libpart.so") + " is being written", "when they are done", 11);
  close(writer);
  runs(12);
}

TEST_F(Dependency, IsTakenAlsoWhenSomebodyForgotToCloseItAndTheLibrary) {
  put("part1", "libpart.so");
  put("lib", "lib.so");
  open();
  runs(11);
  put("part2", "libpart.so");
  put("lib", "lib.so");
  const autoreload::unique_fd first(::open((directory_ / "libpart.so").c_str(), O_WRONLY | O_CLOEXEC));
  const autoreload::unique_fd second(::open((directory_ / "lib.so").c_str(), O_WRONLY | O_CLOEXEC));
  ASSERT_TRUE(first && second);
  runs(12);
}

TEST_F(Dependency, ThatSomebodyForgotToCloseIsTakenOnceItLiesStill) {
  put("part1", "libpart.so");
  put("lib", "lib.so");
  open();
  runs(11);
  put("part2", "libpart.so");
  const autoreload::unique_fd writer(::open((directory_ / "libpart.so").c_str(), O_WRONLY | O_CLOEXEC));
  ASSERT_TRUE(writer);
  runs(12);
}

// Only a file's owner can ask whether somebody writes it. For others it has to lie still for a while, of which no event
// tells.
TEST_F(Dependency, OfAnotherUserIsLoadedOnceItLiesStill) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can become another user and itself again";
  put("part1", "libpart.so");
  put("lib", "lib.so");
  fs::permissions(directory_.path(), fs::perms(0755));
  open();
  runs(11);
  struct another_user {
    another_user() { EXPECT_EQ(seteuid(54329), 0); }
    ~another_user() { EXPECT_EQ(seteuid(0), 0); }
  };
  // Replaced again and again, until it has been said that it is waited for.
  for (bool said = false; !said && number() == 11;) {
    put("part2", "libpart.so");
    const another_user here;
    said = until(told(event_kind::waiting), 100ms);
  }
  const another_user here;
  runs(12);
}

TEST_F(Dependency, ThatVanishesIsWaitedForAndTheSameOneAgainIsNoNews) {
  put("counts", "libpart.so");
  put("lib", "lib.so");
  open();
  EXPECT_EQ(number(), 11);
  for (int call = 12; call < 14; ++call) {
    fs::remove(directory_ / "libpart.so");
    fails(stage::snapshot, its("libpart.so") + " is not there", "as soon as it is there", call);
    put("counts", "libpart.so");
    EXPECT_TRUE(until([&] { return !library_->last_failure(); })) << failure();
    EXPECT_EQ(library_->generation(), 1U) << "it is as it was";
  }
  EXPECT_EQ(number(), 14) << "its statics live on";
  fs::remove(directory_ / "libpart.so");
  fails(stage::snapshot, its("libpart.so") + " is not there", "as soon as it is there", 15);
  put("part2", "libpart.so");
  runs(12);
}

TEST_F(Dependency, ThatIsTouchedOrRebuiltTheSameIsNoNews) {
  put("counts", "libpart.so");
  put("lib", "lib.so");
  open();
  EXPECT_EQ(number(), 11);
  put("counts", "libpart.so");
  library_->poll();
  fs::last_write_time(directory_ / "libpart.so", fs::file_time_type::clock::now());
  library_->poll();
  EXPECT_EQ(number(), 12) << "its statics live on";
  EXPECT_EQ(library_->generation(), 1U);
}

// Its times and size can be the same then.
TEST_F(Dependency, ThatIsWrittenTwiceWithinOneTickOfTheClockIsTheSecondOne) {
  // A file system without finer times, in a view of this process's own.
  if (unshare(CLONE_NEWNS) != 0 || mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      mount("ramfs", directory_.path().c_str(), "ramfs", 0, "mode=0755") != 0) {
    GTEST_SKIP() << "file systems can't be mounted without root";
  }
  const auto overwrite = [&](int value) {
    support::write_file(directory_ / "libpart.so", support::read_file(built("part" + std::to_string(value))));
  };
  put("part3", "libpart.so");
  put("lib", "lib.so");
  open();
  runs(13);
  for (int round = 0; round < 50; ++round) {
    for (const int value : {1, 2, 3}) {
      overwrite(value);
      library_->poll();
    }
    EXPECT_EQ(number(), 13) << "in round " << round;
  }
  library_.reset();
  umount2(directory_.path().c_str(), MNT_DETACH);
}

TEST_F(Dependency, MayBecomeALinkAndTheLinkMayBeSwitched) {
  for (const char* const name : {"part1", "part2", "part3"}) put(name, name);
  put("part1", "libpart.so");
  put("lib", "lib.so");
  open();
  runs(11);
  const auto lead_to = [&](const std::string& target) {  // as ln -sfn
    fs::create_symlink(target, directory_ / "libpart.so.new");
    fs::rename(directory_ / "libpart.so.new", directory_ / "libpart.so");
  };
  lead_to("part1");
  library_->poll();
  EXPECT_EQ(library_->generation(), 1U) << "the same file by another way";
  lead_to("part2");
  runs(12);
  put("part3", "part2");
  runs(13);
  lead_to("nowhere");
  fails(stage::snapshot, its("libpart.so") + " is not there", "as soon as it is there", 13);
  lead_to("libpart.so");
  fails(stage::snapshot, its("libpart.so") + " is not there", "as soon as it is there", 13);
  lead_to("part1");
  runs(11);
}

TEST_F(Dependency, WhenDescriptorsRunOutIsTakenWhenThereAreMore) {
  put("part1", "libpart.so");
  put("lib", "lib.so");
  open();
  runs(11);
  put("part2", "libpart.so");
  library_->pause();
  rlimit limit{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  int reported = 0;
  for (rlim_t spare = 0;; ++spare) {
    const int highest = dup(0);
    close(highest);
    const rlimit few{static_cast<rlim_t>(highest) + spare, limit.rlim_max};
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
    const auto done = library_->reload();
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
    if (done) break;
    ASSERT_EQ(number(), 11) << failure();
    EXPECT_NE(done.error().system().find("Too many open files"), std::string::npos) << done.error().what();
    reported += done.error().reason().find(its("libpart.so")) != std::string::npos;
  }
  EXPECT_EQ(number(), 12);
  EXPECT_GE(reported, 2) << "to read it, and for its copy";
}

// ---- several

TEST_F(Dependency, OfADependencyIsReloadedWithAllThatLeadsToIt) {
  put("deep1", "libdeep.so");
  put("middle", "libpart.so");
  put("lib", "lib.so");
  open();
  runs(11);
  put("deep2", "libdeep.so");
  runs(12);
  const std::string next = support::read_file(built("deep3"));
  put_bytes(next.substr(0, next.size() / 2), "libdeep.so");
  fails(stage::snapshot, its("libdeep.so") + " can't be used", "", 12);
  fs::remove(directory_ / "libdeep.so");
  fails(stage::snapshot, its("libdeep.so") + " is not there", "as soon as it is there", 12);
  put("deep3", "libdeep.so");
  runs(13);
  put("part2", "libpart.so");  // which needs nothing
  runs(12);
}

// The loader has what the library itself needs already when it comes to what those need.
TEST_F(Dependency, WithoutARunPathFindsWhatTheLibraryItselfNeeds) {
  build("trusting", calls("part", "deep", "deep()"), named("libpart.so") + with("deep1"));
  build("both", calls("number", "part", "10 + part()"), with("trusting") + with("deep1") + by_origin);
  put("deep1", "libdeep.so");
  put("trusting", "libpart.so");
  put("both", "lib.so");
  open();
  runs(11);
  put("deep2", "libdeep.so");
  runs(12);
}

TEST_F(Dependency, OfTwoLibrariesIsLoadedOnceByWhateverWaysTheyFindIt) {
  const auto side = [&](const std::string& name, const std::string& directory) {
    build(name, calls(name, "part", "part()"),
          named("lib" + name + ".so") + with("part1") + " '-Wl,-rpath,$ORIGIN/../common'");
    fs::create_directory(directory_ / directory);
    put(name, directory + "/lib" + name + ".so");
  };
  fs::create_directory(directory_ / "common");
  put("counts", "common/libpart.so");
  side("left", "a");
  side("right", "b");
  build("top", "int left(void); int right(void); int number(void) { int l = left(); return 10 * l + right(); }",
        with("left") + with("right") + " '-Wl,-rpath,$ORIGIN/a:$ORIGIN/b'");
  put("top", "lib.so");
  open();
  EXPECT_EQ(number(), 12) << "they count together";
  put("part3", "common/libpart.so");
  runs(33);
}

TEST_F(Dependency, OfTwoReloadablesIsReloadedInBoth) {
  put("counts", "libpart.so");
  put("lib", "lib.so");
  put("lib", "other.so");
  open();
  library other(directory_ / "other.so", driven_by_hand());
  EXPECT_EQ(number(), 11);
  EXPECT_EQ(other->number(), 11) << "each has its own copy";
  put("part2", "libpart.so");
  runs(12);
  other.poll();
  EXPECT_EQ(other->number(), 12);
}

TEST_F(Dependency, ThatNeedsItsUserIsRefusedInsteadOfFollowedInCircles) {
  put("part1", "libpart.so");
  put("lib", "lib.so");
  open();
  runs(11);
  build("itself", returns("part", 4), named("libpart.so") + with("part1") + by_origin);
  put("itself", "libpart.so");
  fails(stage::snapshot, "libpart.so is needed by what it needs", "one library", 11);
  build("its_user", returns("part", 5), named("libpart.so") + with("lib") + by_origin);
  put("its_user", "libpart.so");
  fails(stage::snapshot, "lib.so is needed by what it needs", "one library", 11);
  build("back", returns("deep", 6), named("libdeep.so") + with("part1") + by_origin);
  put("back", "libdeep.so");
  put("middle", "libpart.so");
  fails(stage::snapshot, "libpart.so is needed by what it needs", "one library", 11);
  put("deep2", "libdeep.so");
  runs(12);
}

// ---- two reloadables, of which one needs the other: the game sees the core that this program runs, and follows it

class TwoReloadables : public Dependency, public testing::WithParamInterface<autoreload::drive_mode> {
 protected:
  static void SetUpTestSuite() {
    Dependency::SetUpTestSuite();
    for (int version = 1; version <= 3; ++version) {
      // The core counts the calls of all who call it; the game says it, too, with a hundred for each of its versions.
      const std::string number = std::to_string(version);
      build("core" + number, "static int calls; int number(void) { return 10 * " + number + " + calls++ % 10; }",
            named("libcore.so"));
    }
    for (int version = 1; version <= 2; ++version) {
      build("game" + std::to_string(version),
            "int number(void); int play(void) { return " + std::to_string(100 * version) + " + number(); }",
            named("libgame.so") + with("core1") + by_origin);
    }
  }
  struct game_api {
    autoreload::required_as<"play", int()> play;
  };
  autoreload::options chosen() {
    autoreload::options how = driven_by_hand();
    how.drive = GetParam();
    return how;
  }
  void open_core() { core_.emplace(directory_ / "libcore.so", chosen()); }
  void open_game() { game_.emplace(directory_ / "libgame.so", chosen()); }
  template <class Condition>
  [[nodiscard]] bool comes_true(Condition holds) {
    return eventually([&] { return game_->poll(), core_->poll(), holds(); });
  }
  template <class Condition>
  [[nodiscard]] static bool eventually(Condition holds) {
    const auto deadline = std::chrono::steady_clock::now() + support::patience;
    while (!holds()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      std::this_thread::sleep_for(1ms);
    }
    return true;
  }
  // Both call the same core, which counts them together.
  void they_share_core(int core, int game) {
    ASSERT_TRUE(comes_true([&] { return game_->loaded() && (*game_)->play() / 10 == 10 * game + core; }))
        << (game_->last_failure() ? game_->last_failure()->what() : "no failure");
    ASSERT_TRUE(comes_true([&] { return core_->loaded() && (*core_)->number() / 10 == core; }));
    EXPECT_TRUE(comes_true([&] {
      const int before = (*core_)->number() % 10;
      const int between = (*game_)->play() % 10;
      const int after = (*core_)->number() % 10;
      return between == (before + 1) % 10 && after == (before + 2) % 10;
    })) << "each has a core of its own";
  }

  std::optional<library> core_;
  std::optional<autoreload::reloadable<game_api>> game_;
};

INSTANTIATE_TEST_SUITE_P(Driven, TwoReloadables,
                         testing::Values(autoreload::drive_mode::manual, autoreload::drive_mode::background),
                         [](const auto& drive) {
                           return drive.param == autoreload::drive_mode::manual ? std::string("ByHand")
                                                                                : std::string("InTheBackground");
                         });

TEST_P(TwoReloadables, WhenTheNeededOneComesFirst) {
  put("core1", "libcore.so");
  put("game1", "libgame.so");
  open_core();
  open_game();
  they_share_core(1, 1);
  put("core2", "libcore.so");
  they_share_core(2, 1);
  put("game2", "libgame.so");
  they_share_core(2, 2);
  put("core3", "libcore.so");
  they_share_core(3, 2);
}

TEST_P(TwoReloadables, WhenTheOneThatNeedsComesFirst) {
  put("core1", "libcore.so");
  put("game1", "libgame.so");
  open_game();
  EXPECT_EQ((*game_)->play(), 110) << "its own copy, as long as nobody else runs one";
  open_core();
  they_share_core(1, 1);
  put("core2", "libcore.so");
  they_share_core(2, 1);
}

TEST_P(TwoReloadables, WhereNoRunPathLeadsToIt) {
  build("game3", "int number(void); int play(void) { return 100 + number(); }", with("core1"));
  put("core1", "libcore.so");
  put("game3", "libgame.so");
  open_core();
  open_game();
  they_share_core(1, 1);
  put("core2", "libcore.so");
  they_share_core(2, 1);
}

TEST_P(TwoReloadables, TheOlderCoreIsUnloadedWhenTheGameHasFollowed) {
  put("core1", "libcore.so");
  put("game1", "libgame.so");
  open_core();
  open_game();
  they_share_core(1, 1);
  put("core2", "libcore.so");
  they_share_core(2, 1);
  int unloaded = 0;
  EXPECT_TRUE(comes_true([&] {
    while (const auto one = events_.next()) unloaded += one->kind == event_kind::unloaded;
    return unloaded == 2;
  })) << "one generation of each";
}

TEST_P(TwoReloadables, ACoreThatIsRefusedLeavesTheGameWithTheOneThatRuns) {
  put("core1", "libcore.so");
  put("game1", "libgame.so");
  open_core();
  open_game();
  they_share_core(1, 1);
  put("part1", "libcore.so");  // it has no number
  EXPECT_TRUE(comes_true([&] { return core_->last_failure().has_value(); }));
  put("game2", "libgame.so");
  EXPECT_TRUE(comes_true([&] { return (*game_)->play() / 10 == 21; })) << "and its own reloads go on";
  put("core2", "libcore.so");
  they_share_core(2, 2);
}

TEST_P(TwoReloadables, TheGameGetsACopyOfItsOwnWhenTheCoresReloadableIsGone) {
  put("core1", "libcore.so");
  put("game1", "libgame.so");
  open_core();
  open_game();
  they_share_core(1, 1);
  core_.reset();
  EXPECT_EQ((*game_)->play() / 10, 11) << "it goes on with the core that it has";
  put("core2", "libcore.so");
  EXPECT_TRUE(eventually([&] { return game_->poll(), (*game_)->play() / 10 == 12; }));
}

TEST_P(TwoReloadables, ThatNeedEachOtherAreRefused) {
  build("circle", "int play(void); int number(void) { return play(); }",
        named("libcore.so") + with("game1") + by_origin);
  put("core1", "libcore.so");
  put("game1", "libgame.so");
  open_core();
  open_game();
  they_share_core(1, 1);
  build("circle", "int play(void); int number(void) { return play(); }",
        named("libcore.so") + " '" + directory_ / "libgame.so" + "'" + by_origin);
  put("circle", "libcore.so");
  EXPECT_TRUE(comes_true([&] { return core_->last_failure().has_value(); }));
  EXPECT_NE(core_->last_failure()->reason().find("is needed by what it needs itself"), std::string::npos)
      << core_->last_failure()->what();
  EXPECT_EQ((*game_)->play() / 10, 11);
}

TEST_P(TwoReloadables, ATrialLoadHasTheSameCore) {
  put("core1", "libcore.so");
  put("game1", "libgame.so");
  open_core();
  autoreload::options how = chosen();
  how.trial.enabled = true;
  game_.emplace(directory_ / "libgame.so", how);
  they_share_core(1, 1);
}

// ---- its name

// A linker keeps a string that is the end of another one only once: to write over it would change both.
TEST_F(Dependency, WhoseNameEndsAnotherCantBeRenamedAndItIsSaid) {
  build("long", returns("longer", 5), named("notlibpart.so"));
  build("two", calls("number", "part", "10 + part()"), with("part1") + with("long") + by_origin);
  build("ends", returns("part", 5), named("libpart.so") + with("long") + by_origin);
  if (support::read_file(built("two")).find(std::string("\0libpart.so", 11)) != std::string::npos) {
    GTEST_SKIP() << "this linker keeps it twice";
  }
  put("long", "notlibpart.so");
  put("part1", "libpart.so");
  put("lib", "lib.so");
  open();
  runs(11);
  for (const char* const where : {"lib.so", "libpart.so"}) {
    put(where == std::string("lib.so") ? "two" : "ends", where);
    fails(stage::snapshot, "the name libpart.so can't be changed in a copy of \"" + directory_ / where + "\"",
          "no other name", 11);
    put(where == std::string("lib.so") ? "lib" : "part1", where);
    EXPECT_TRUE(until([&] { return !library_->last_failure(); })) << failure();
  }
  put("part2", "libpart.so");
  runs(12);
}

// The loader would map it from its file, and die with it of the next build that truncates that.
TEST_F(Dependency, OfWhichNoCopyCanBeLoadedIsRefusedWithTheFlagThatMendsIt) {
  const std::string from_root = " '-Wl,-rpath," + directory_.path().string() + "'";
  struct {
    std::string run_path, soname, reason, advice;
  } const names[] = {{from_root, "", "has no SONAME", "-Wl,-soname,it.so"},
                     {by_origin, "", "has no SONAME", "-Wl,-soname,it.so"},
                     {by_origin, named("other.so"), "has the SONAME other.so", "patchelf --set-soname it.so"},
                     {by_origin, named("it.so"), "no room in the name", "a longer name"}};
  for (const auto& [run_path, soname, reason, advice] : names) {
    library_.reset();
    put("lib", "lib.so");
    put("part1", "libpart.so");
    open();
    runs(11);
    build("it", returns("part", 7), "");
    build("origin", calls("number", "part", "part()"), "-L'" + shop_->path().string() + "' -l:it.so" + run_path);
    build("it", returns("part", 7), soname);
    put("it", "it.so");
    put("origin", "lib.so");
    fails(stage::snapshot, reason, advice, 11);
  }
}

TEST_F(Dependency, ThatIsNeededByItsPathIsRefusedWithTheFlagThatMendsIt) {
  put("lib", "lib.so");
  put("part1", "libpart.so");
  open();
  runs(11);
  support::build_library(directory_ / "libplain.so", returns("part", 7));
  build("path", calls("number", "part", "part()"), "'" + directory_ / "libplain.so" + "'");
  put("path", "lib.so");
  fails(stage::snapshot, "by its path", "-Wl,-soname,libplain.so", 11);
}

TEST_F(Dependency, WithoutADigestIsWaitedForWhereOneIsRequired) {
  put("part1", "libpart.so");
  put_bytes(with_digest(support::read_file(built("lib"))), "lib.so");
  autoreload::options chosen = driven_by_hand();
  chosen.require_digest = true;
  library_.emplace(directory_ / "lib.so", chosen);
  EXPECT_FALSE(library_->loaded());
  EXPECT_NE(failure().find(its("libpart.so") + " can't be used: it has no digest"), std::string::npos) << failure();
  put_bytes(with_digest(support::read_file(built("part1"))), "libpart.so");
  runs(11);
}

// ---- where it is looked for

TEST_F(Dependency, IsFoundInADirectoryWhoseNameHasADollar) {
  fs::create_directory(directory_ / "a$b");
  put("part1", "a$b/libpart.so");
  put("lib", "a$b/lib.so");
  library_.emplace(directory_ / "a$b/lib.so", driven_by_hand());
  runs(11);
  put("part2", "a$b/libpart.so");
  runs(12);
}

TEST_F(Dependency, IsLookedForInTheUsersDirectoriesAlsoIfTheirNamesBeginLikeTheSystems) {
  build("far", calls("number", "part", "part()"),
        with("part1") + " -nostdlib -Wl,-rpath,/library:/usr/library:/lib/x:/usr/lib64");
  autoreload::snapshotter taker;
  autoreload::snapshot_outcome taken = taker.take({built("far"), {}});
  ASSERT_FALSE(taken.no);
  const auto seen = autoreload::inspect(taken.bytes);
  const auto answer = autoreload::prepare_dependencies(built("far"), taken.image, taken.bytes, seen.facts, {{}}, {});
  ASSERT_GE(answer.paths.size(), 2U);  // LD_LIBRARY_PATH may add some
  EXPECT_EQ(answer.paths[0], "/library/libpart.so");
  EXPECT_EQ(answer.paths[1], "/usr/library/libpart.so");
  EXPECT_EQ(std::count(answer.paths.begin(), answer.paths.end(), "/lib/x/libpart.so"), 0);
}

// The loader takes $ORIGIN from the name, but a build that switches a link means what it leads to.
TEST_F(Dependency, ByOriginIsLookedForBesideTheLinkAndBesideWhatItLeadsTo) {
  for (const char* const place : {"named", "real"}) {
    library_.reset();
    fs::remove_all(directory_ / "named");
    for (const char* const made : {"named", "real"}) fs::create_directories(directory_ / made);
    put("lib", "real/lib.so");
    fs::create_symlink("../real/lib.so", directory_ / "named/lib.so");
    put("part1", std::string(place) + "/libpart.so");
    library_.emplace(directory_ / "named/lib.so", driven_by_hand());
    runs(11);
    fs::remove(directory_ / (std::string(place) + "/libpart.so"));
  }
}

// ---- found as the loader finds it, whoever says where

// What most tests do in a process of its own, which has what its loader reads at the start: `LD_LIBRARY_PATH`.
class FoundByTheLoader : public Dependency {
 protected:
  // lib.so without a run path, or with the one that is given; libpart.so is elsewhere.
  void put_apart(const std::string& flags = "") {
    fs::create_directory(elsewhere_);
    put("part1", "elsewhere/libpart.so");
    build("nowhere", calls("number", "part", "10 + part()"), named("lib.so") + with("part1") + flags);
    put("nowhere", "lib.so");
  }
  // It is a private copy: neither cp over its file nor that file's end reaches the running code, and a new one is
  // loaded.
  void is_followed() {
    runs(11);
    EXPECT_EQ(events_.next(event_kind::warning, 0ms), std::nullopt);
    support::write_file(elsewhere_ / "libpart.so", support::read_file(built("part2")));  // cp: the same inode
    EXPECT_EQ(number(), 11) << "before the reload";
    runs(12);
    fs::resize_file(elsewhere_ / "libpart.so", 0);
    EXPECT_EQ(number(), 12);
    put("part3", "elsewhere/libpart.so");
    runs(13);
  }

  // Runs this test again in a process whose loader looks in a directory, to which `elsewhere` is a link there. It has
  // to exist when the process starts: the loader forgets those that don't.
  void in_a_process_that_looks_elsewhere() {
    fs::create_directory(elsewhere_);
    const std::string there = "'" + elsewhere_.string() + "'";
    support::shell("AUTORELOAD_TEST_ELSEWHERE=" + there + " LD_LIBRARY_PATH=" + there + " '" +
                   fs::read_symlink("/proc/self/exe").string() + "' --gtest_filter='FoundByTheLoader." +
                   testing::UnitTest::GetInstance()->current_test_info()->name() + "'");
  }

  const fs::path elsewhere_ = directory_.path() / "elsewhere";
};

TEST_F(FoundByTheLoader, ByLD_LIBRARY_PATHOfTheProgramsStart) {
  if (const char* const said = std::getenv("AUTORELOAD_TEST_ELSEWHERE")) {  // the process below
    fs::create_symlink(said, elsewhere_);
    put_apart();
    setenv("LD_LIBRARY_PATH", "/changed/later", 1);  // of no matter
    open();
    is_followed();
    return;
  }
  in_a_process_that_looks_elsewhere();
}

TEST_F(FoundByTheLoader, ByARelativeRunPath) {
  put_apart(" -Wl,-rpath,elsewhere");
  const fs::path before = fs::current_path();
  fs::current_path(directory_.path());
  open();
  is_followed();
  fs::current_path(before);
}

// That the build gives this program.
TEST_F(FoundByTheLoader, ByTheProgramsDT_RPATHUnlessTheLibraryHasADT_RUNPATH) {
  put_apart();
  const fs::path before = fs::current_path();
  fs::current_path(directory_.path());
  fs::create_symlink(elsewhere_, "searched_by_the_program");
  open();
  is_followed();
  build("other", calls("number", "part", "20 + part()"), named("lib.so") + with("part1") + " -Wl,-rpath,/nowhere");
  put("other", "lib.so");
  fails(stage::load, "dlopen refused it", "", 13);
  fs::current_path(before);
}

TEST_F(FoundByTheLoader, ByTheDT_RPATHOfTheLibraryThatNeedsItsUser) {
  put_apart();
  build("user", calls("deep", "part", "part()"), named("libdeep.so") + with("part1"));
  build("top", calls("number", "deep", "10 + deep()"),
        with("user") + " -Wl,--disable-new-dtags '-Wl,-rpath,$ORIGIN/elsewhere' '-Wl,-rpath,$ORIGIN'");
  put("user", "libdeep.so");
  put("top", "lib.so");
  open();
  is_followed();
}

TEST_F(FoundByTheLoader, ByLIBInARunPath) {
  put_apart(" '-Wl,-rpath,$ORIGIN/$LIB'");
  const auto defaults = autoreload::process_directories().defaults;
  ASSERT_FALSE(defaults.empty());
  const fs::path below = directory_.path() / fs::path(defaults.front()).relative_path();
  fs::create_directories(below.parent_path());
  fs::create_symlink(elsewhere_, below);
  open();
  is_followed();
}

TEST_F(FoundByTheLoader, BehindOneOfAnotherWordSize) {
  put_apart(" '-Wl,-rpath,$ORIGIN/narrow' '-Wl,-rpath,$ORIGIN/elsewhere'");
  fs::create_directory(directory_ / "narrow");
  std::string narrow = support::read_file(built("part1"));
  narrow[4] = 1;  // EI_CLASS: 32 bits
  put_bytes(narrow, "narrow/libpart.so");
  open();
  is_followed();
}

// What can't be copied is left to the loader where no run path of the user's leads to it. It is said.
TEST_F(FoundByTheLoader, WithoutASonameItIsMappedFromItsFileAndThatIsSaid) {
  if (const char* const said = std::getenv("AUTORELOAD_TEST_ELSEWHERE")) {
    fs::create_symlink(said, elsewhere_);
    fs::create_directory(elsewhere_);
    build("libplain", returns("part", 1), "");
    build("plain", calls("number", "part", "10 + part()"), "-L'" + shop_->path().string() + "' -lplain");
    put("libplain", "elsewhere/libplain.so");
    put("plain", "lib.so");
    open();
    runs(11);
    const auto warning = events_.next(event_kind::warning, support::patience);
    ASSERT_TRUE(warning);
    EXPECT_NE(warning->text.find("libplain.so\" came with it, mapped from that file itself"), std::string::npos);
    EXPECT_NE(warning->text.find("-Wl,-soname,libplain.so"), std::string::npos) << warning->text;
    return;
  }
  in_a_process_that_looks_elsewhere();
}

TEST_F(FoundByTheLoader, WhatAConstructorOpensIsMappedFromItsFileAndThatIsSaid) {
  fs::create_directory(elsewhere_);
  build("opened", returns("opened", 1), named("libopened.so"));
  put("opened", "elsewhere/libopened.so");
  build("opens",
        "#include <dlfcn.h>\n__attribute__((constructor)) static void begin(void) { dlopen(\"" +
            (elsewhere_ / "libopened.so").string() + "\", RTLD_NOW); } int number(void) { return 11; }",
        "");
  put("opens", "lib.so");
  open();
  runs(11);
  const auto warning = events_.next(event_kind::warning, support::patience);
  ASSERT_TRUE(warning);
  EXPECT_NE(warning->text.find((elsewhere_ / "libopened.so").string() + "\" came with it"), std::string::npos)
      << warning->text;
}

TEST_F(FoundByTheLoader, WhatTheHostHoldsIsSharedAndItsFileIsNamed) {
  put_apart(" '-Wl,-rpath,$ORIGIN/elsewhere'");
  void* const hosts = dlopen((elsewhere_ / "libpart.so").c_str(), RTLD_NOW | RTLD_LOCAL);
  ASSERT_NE(hosts, nullptr);
  open();
  runs(11);
  const auto warning = events_.next(event_kind::warning, support::patience);
  ASSERT_TRUE(warning);
  EXPECT_NE(warning->text.find("who writes into \"" + (elsewhere_ / "libpart.so").string()), std::string::npos)
      << warning->text;
  library_.reset();
  dlclose(hosts);
}

TEST(LoaderCache, LeadsToTheSystemsLibraries) {
#ifndef __GLIBC__
  GTEST_SKIP() << "only glibc has a cache";
#endif
  const std::string libc = autoreload::loader_cache().find("libc.so.6");
  if (libc.empty()) GTEST_SKIP() << "no cache here";
  EXPECT_TRUE(fs::exists(libc)) << libc;
  EXPECT_EQ(autoreload::loader_cache().find("libnobody-has-this.so"), "");
}

// A program's own plugins may be below the system's directories.
TEST_F(Dependency, ByOriginIsCopiedAlsoBelowTheSystemsDirectories) {
  autoreload::snapshotter taker;
  autoreload::snapshot_outcome taken = taker.take({built("lib"), {}});
  ASSERT_FALSE(taken.no);
  const auto seen = autoreload::inspect(taken.bytes);
  for (const auto& [path, looked_for] : {std::pair("/usr/lib/app/lib.so", true), std::pair("/usr/lib/lib.so", false)}) {
    taken.image.path = path;
    const auto answer = autoreload::prepare_dependencies(path, taken.image, taken.bytes, seen.facts, {{}}, {});
    EXPECT_EQ(std::count(answer.paths.begin(), answer.paths.end(), "/usr/lib/app/libpart.so"), looked_for ? 1 : 0);
  }
}

}  // namespace
