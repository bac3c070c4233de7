// SPDX-License-Identifier: MIT
// beside_test: a trial load holds up nobody: neither the owner's loop, nor other libraries, nor a newer build.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <memory>
#include <string>

#include "engine_support.hpp"
#include "system/unique_fd.hpp"

using namespace std::chrono_literals;
using autoreload::event_kind;
using autoreload::stage;
using support::build_library;

namespace {

struct number_api {
  autoreload::required_as<"number", int()> number;
};
using numbers = autoreload::reloadable<number_api>;

// A named pipe in which the constructor of a library in the helper says that it runs, and waits for a reader.
class Beside : public support::EngineTest {
 protected:
  Beside() {
    if (mkfifo(gate_.c_str(), 0600) != 0) throw std::runtime_error("mkfifo");
  }
  void build(int value, const std::string& constructor = "") {
    build_library(path_,
                  "#include <fcntl.h>\n#include <stdlib.h>\n#include <sys/prctl.h>\n#include <unistd.h>\nint "
                  "number(void) { return " +
                      std::to_string(value) + "; }\n__attribute__((constructor)) static void begin(void) {" +
                      constructor + "}");
  }
  // The helper dumps no core: that tells it from the host.
  [[nodiscard]] std::string in_the_helper(const std::string& what) const {
    return "if (prctl(PR_GET_DUMPABLE) == 0) { int gate = open(\"" + gate_ + "\", O_WRONLY); " + what +
           " close(gate); }";
  }
  void wait_for_the_helper() { reader_ = autoreload::unique_fd(open(gate_.c_str(), O_RDONLY | O_CLOEXEC)); }
  [[nodiscard]] autoreload::options tried(autoreload::options chosen) {
    chosen.trial.enabled = true;
    chosen.trial.time_limit = 10min;
    return chosen;
  }
  static bool readable(const numbers& lib, std::chrono::milliseconds patience) {
    pollfd one{lib.descriptor(), POLLIN, 0};
    return ::poll(&one, 1, static_cast<int>(patience.count())) == 1 && (one.revents & POLLIN) != 0;
  }
  // Whether it comes to rest. What others do in the directories above wakes it for a moment.
  static bool rests(numbers& lib) {
    const auto deadline = std::chrono::steady_clock::now() + support::patience;
    while (std::chrono::steady_clock::now() < deadline) {
      if (!readable(lib, 0ms)) return true;
      lib.poll();
    }
    return false;
  }
  // As an event loop does it: at no other time than when the descriptor says so.
  static bool loops_until(numbers& lib, const std::function<bool()>& holds) {
    while (!holds()) {
      if (!readable(lib, support::patience)) return false;
      lib.poll();
    }
    return true;
  }

  const std::string gate_ = directory_ / "gate";
  autoreload::unique_fd reader_;
};

const std::string hang = "for (;;) pause();";

TEST_F(Beside, APollThatStartsATrialReturnsAtOnceAndALaterOneGoesOnWithTheBuild) {
  build(1);
  numbers lib(path_, tried(manual()));
  ASSERT_EQ(lib->number(), 1);
  build(2, in_the_helper(""));  // its trial waits until somebody reads
  lib.poll();
  lib.poll();
  EXPECT_EQ(lib->number(), 1);
  EXPECT_EQ(kinds(), "loaded");
  EXPECT_TRUE(rests(lib)) << "there is nothing to do yet";
  wait_for_the_helper();
  ASSERT_TRUE(readable(lib, support::patience)) << "the trial's end is told";
  EXPECT_TRUE(loops_until(lib, [&] { return lib.generation() == 2; }));
  EXPECT_EQ(lib->number(), 2);
  EXPECT_EQ(lib.last_failure(), std::nullopt);
}

TEST_F(Beside, ABuildThatFailsItsTrialIsRefusedByALaterPoll) {
  build(1);
  numbers lib(path_, tried(manual()));
  build(2, in_the_helper("_exit(3);"));
  lib.poll();
  wait_for_the_helper();
  EXPECT_TRUE(loops_until(lib, [&] { return lib.last_failure().has_value(); }));
  EXPECT_EQ(lib.last_failure()->at(), stage::trial);
  EXPECT_EQ(lib.last_failure()->reason(), "it called exit(3) while it was being loaded");
  EXPECT_EQ(kinds(), "loaded refused");
  EXPECT_EQ(lib->number(), 1);
}

TEST_F(Beside, ATrialThatCanNotRunIsNotTriedAgainUntilSomethingHappens) {
  build(1);
  numbers lib(path_, tried(manual()));
  setenv("AUTORELOAD_TRIAL_HELPER", (directory_ / "no such helper").c_str(), 1);
  build(2);
  EXPECT_TRUE(loops_until(lib, [&] { return lib.last_failure().has_value(); }));
  EXPECT_EQ(lib.last_failure()->reason(), "the trial helper can't be opened");
  // The descriptor is readable for what others do in the directories above, too. A try opens the file.
  const autoreload::unique_fd opened(inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  ASSERT_NE(inotify_add_watch(opened.get(), path_.c_str(), IN_OPEN), -1);
  int tries = 0;
  for (int calls = 0; calls < 50 && readable(lib, 100ms); ++calls) {
    lib.poll();
    inotify_event one{};
    if (read(opened.get(), &one, sizeof one) > 0) ++tries;
  }
  EXPECT_LT(tries, 5) << "it is tried again and again";
  unsetenv("AUTORELOAD_TRIAL_HELPER");
  std::filesystem::permissions(path_, std::filesystem::perms(0700));  // any event will do
  EXPECT_TRUE(loops_until(lib, [&] { return lib.generation() == 2; }));
}

TEST_F(Beside, ANewerBuildEndsTheTrialOfTheOneBefore) {
  build(1);
  numbers lib(path_, tried(manual()));
  build(2, in_the_helper(hang));
  lib.poll();
  wait_for_the_helper();
  build(3);
  EXPECT_TRUE(loops_until(lib, [&] { return lib.generation() == 2; }));
  EXPECT_EQ(lib->number(), 3);
  EXPECT_EQ(events_.next(event_kind::refused, 0ms), std::nullopt);
}

TEST_F(Beside, ADeletedBuildEndsItsTrial) {
  build(1);
  numbers lib(path_, tried(manual()));
  build(2, in_the_helper(hang));
  lib.poll();
  wait_for_the_helper();
  std::filesystem::remove(path_);
  EXPECT_TRUE(loops_until(lib, [&] { return events_.next(event_kind::waiting, 0ms).has_value(); }));
  char nothing = 0;
  EXPECT_EQ(read(reader_.get(), &nothing, 1), 0) << "the helper that held the other end is gone";
}

TEST_F(Beside, ARequestEndsTheTrialThatRunsAndWaitsForItsOwn) {
  build(1);
  numbers lib(path_, tried(manual()));
  build(2, in_the_helper(""));
  lib.poll();
  const autoreload::unique_fd reader(open(gate_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));  // nobody waits any more
  ASSERT_TRUE(lib.reload());
  EXPECT_EQ(lib->number(), 2);
}

TEST_F(Beside, AnotherLibraryOfTheBackgroundIsReloadedMeanwhile) {
  build(1);
  const std::string other_path = directory_ / "libother.so";
  build_library(other_path, "int number(void) { return 1; }");
  const numbers lib(path_, tried(background()));
  autoreload::event_queue others;
  autoreload::options chosen = support::anywhere();
  chosen.observer = others.observer();
  const numbers other(other_path, chosen);
  ASSERT_TRUE(others.next(event_kind::loaded, support::patience));
  build(2, in_the_helper(hang));
  wait_for_the_helper();
  build_library(other_path, "int number(void) { return 2; }");
  EXPECT_TRUE(others.next(event_kind::loaded, support::patience));
  EXPECT_EQ(other->number(), 2);
  EXPECT_EQ(lib->number(), 1);
  build(3);  // and the one that hangs is given up for what comes after it
  EXPECT_TRUE(support::comes_true([&] { return lib.generation() == 2; }));
  EXPECT_EQ(lib->number(), 3);
}

TEST_F(Beside, ABuildWhoseTrialEndsWhileItIsPausedIsTakenAfterwards) {
  build(1);
  numbers lib(path_, tried(manual()));
  build(2, in_the_helper(""));
  lib.poll();
  lib.pause();
  wait_for_the_helper();
  lib.poll();
  EXPECT_EQ(lib.generation(), 1U);
  lib.resume();
  EXPECT_TRUE(loops_until(lib, [&] { return lib.generation() == 2; }));
}

}  // namespace
