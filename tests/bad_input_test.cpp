// SPDX-License-Identifier: MIT
// bad_input_test: what nobody should pass to a public function, passed. A clear error, and nothing is lost by it.
//
// (Options that can't be meant: engine/reloadable_test. The demo's command line: end_to_end_test.)
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <autoreload/autoreload.hpp>
#include <chrono>
#include <climits>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "support.hpp"

namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;
using autoreload::error;
using autoreload::stage;
using support::patience;

struct number_api {
  autoreload::required_as<"number", int()> number;
};
using library = autoreload::reloadable<number_api>;

const std::string two = "int number(void) { return 2; }";

// ---- paths

struct bad_place {
  const char* name;
  // Puts something there that is no library, and says where.
  std::function<std::string(const support::temp_directory&)> make;
  const char* said;           // a part of the reason or of the system's words
  bool can_be_mended = true;  // by renaming a library over it
};

std::string linked(const support::temp_directory& directory, const std::string& target) {
  fs::create_symlink(target, directory / "lib.so");
  return directory / "lib.so";
}

const std::vector<bad_place>& bad_places() {
  static const std::vector<bad_place> all{
      {"a_directory",
       [](auto& at) {
         fs::create_directory(at / "lib.so");
         return at / "lib.so";
       },
       "a directory", false},
      {"the_root", [](auto&) { return std::string("/"); }, "a directory", false},
      {"a_slash_at_the_end",
       [](auto& at) {
         support::write_file(at / "lib.so", "x");
         return at / "lib.so/";
       },
       "no such file", false},
      {"a_file_in_a_file",
       [](auto& at) {
         support::write_file(at / "lib", "x");
         return at / "lib/lib.so";
       },
       "no such file", false},
      {"a_name_too_long", [](auto& at) { return at / std::string(300, 'n'); }, "File name too long", false},
      {"a_path_too_long",
       [](auto& at) {
         std::string path = at.path().string();
         while (path.size() < PATH_MAX) path += "/directory";
         return path;
       },
       "File name too long", false},
      {"a_fifo",
       [](auto& at) {
         mkfifo((at / "lib.so").c_str(), 0600);
         return at / "lib.so";
       },
       "a FIFO"},
      {"a_socket",
       [](auto& at) {
         const int made = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
         sockaddr_un name{};
         name.sun_family = AF_UNIX;
         (at / "lib.so").copy(name.sun_path, sizeof name.sun_path - 1);
         EXPECT_EQ(bind(made, reinterpret_cast<sockaddr*>(&name), sizeof name), 0);
         close(made);
         return at / "lib.so";
       },
       "can't be opened"},
      {"a_device", [](auto& at) { return linked(at, "/dev/zero"); }, "a device"},
      {"links_in_a_circle", [](auto& at) { return linked(at, "lib.so"); }, "symbolic links"},
      {"a_link_to_nothing", [](auto& at) { return linked(at, "nothing"); }, "no such file"},
      {"an_empty_file",
       [](auto& at) {
         support::write_file(at / "lib.so", "");
         return at / "lib.so";
       },
       "the file is empty"},
      {"a_text",
       [](auto& at) {
         support::write_file(at / "lib.so", "GROUP ( libfoo.so.1 )");
         return at / "lib.so";
       },
       "a text file"},
      {"an_archive",
       [](auto& at) {
         support::write_file(at / "lib.so", "!<arch>\n" + std::string(400, ' '));
         return at / "lib.so";
       },
       "archive"},
      {"an_object_file",
       [](auto& at) {
         support::write_file(at / "lib.c", two);
         support::shell(support::c_compiler() + " -c -fPIC '" + at / "lib.c" + "' -o '" + at / "lib.so" + "'");
         return at / "lib.so";
       },
       "object file"},
      {"a_program",
       [](auto& at) {
         support::write_file(at / "lib.c", "int main(void) { return 0; }");
         support::shell(support::c_compiler() + " '" + at / "lib.c" + "' -o '" + at / "lib.so" + "'");
         return at / "lib.so";
       },
       ""},
      {"itself", [](auto& at) { return linked(at, "/proc/self/exe"); }, ""},
      {"the_c_library", [](auto& at) { return linked(at, "/lib/x86_64-linux-gnu/libc.so.6"); }, ""},
  };
  return all;
}

class BadPlace : public testing::TestWithParam<bad_place> {};

TEST_P(BadPlace, IsNamedLosesNothingAndIsLeftBehindWhenALibraryComes) {
  const support::temp_directory directory;
  const std::string path = GetParam().make(directory);
  autoreload::event_queue events;
  autoreload::options chosen;
  chosen.observer = events.observer();
  library lib(path, chosen);
  EXPECT_FALSE(lib.loaded());
  EXPECT_THROW(lib->number(), error);
  const auto asked = lib.reload();
  ASSERT_FALSE(asked);
  ASSERT_TRUE(lib.last_failure());
  EXPECT_NE(std::string(lib.last_failure()->what()).find(GetParam().said), std::string::npos)
      << lib.last_failure()->what();
  EXPECT_EQ(lib.last_failure()->path(), path);
  if (!GetParam().can_be_mended) return;
  support::build_library(directory / "good.so", two);
  fs::rename(directory / "good.so", path);
  ASSERT_TRUE(events.next(autoreload::event_kind::loaded, patience));
  EXPECT_EQ(lib->number(), 2);
}

INSTANTIATE_TEST_SUITE_P(Paths, BadPlace, testing::ValuesIn(bad_places()), [](auto& one) { return one.param.name; });

TEST(BadPath, OfAnyCharactersIsAPathLikeOthers) {
  const support::temp_directory directory;
  for (const std::string name :
       {"with space", "new\nline", "per%scent %n", "quo\"te's", "\xff\xfe", "umlaut-ä", "-dash", "$ORIGIN"}) {
    support::build_library(directory / "good.so", two);
    fs::rename(directory / "good.so", directory / name);
    library lib(directory / name);
    ASSERT_TRUE(lib.loaded()) << lib.last_failure()->what();
    EXPECT_EQ(lib->number(), 2);
  }
}

// ---- policies

TEST(BadPolicy, ThatNothingCanPassIsNamedInTheRefusal) {
  const support::temp_directory directory;
  support::build_library(directory / "lib.so", two);
  autoreload::options chosen;
  chosen.trust.max_size = 1;
  EXPECT_NE(library(directory / "lib.so", chosen).last_failure()->advice().find("max_size"), std::string::npos);
}

TEST(BadPolicy, OfATrialThatNoProcessCanMeetIsNamedInTheRefusal) {
  const support::temp_directory directory;
  support::build_library(directory / "lib.so", two);
  autoreload::options chosen;
  chosen.trial.enabled = true;
  chosen.trial.memory_limit = 1;
  const library lib(directory / "lib.so", chosen);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  ASSERT_TRUE(lib.last_failure());
  EXPECT_EQ(lib.last_failure()->at(), stage::trial);
  EXPECT_NE(lib.last_failure()->advice().find("memory_limit"), std::string::npos) << lib.last_failure()->what();
#endif
}

TEST(BadPolicy, OfPollingIsRefusedBeforeItOverflowsAClock) {
  for (const auto interval : {std::chrono::milliseconds::max(), std::chrono::milliseconds(25h)}) {
    autoreload::options chosen;
    chosen.watch = autoreload::watch_mode::polling;
    chosen.poll_interval = interval;
    EXPECT_THROW(library("nothing.so", chosen), error);
  }
  autoreload::options chosen;
  chosen.watch = autoreload::watch_mode::polling;
  chosen.poll_interval = 24h;
  EXPECT_NO_THROW(library("nothing.so", chosen));
}

TEST(BadGuard, ThatThrowsWhatIsNoExceptionRefusesAndTheNextBuildIsTaken) {
  struct thrower : autoreload::abi_checker {
    autoreload::guard_verdict check(const autoreload::guard_request&) override {
      if (++times == 1) throw 42;
      return {};
    }
    int times = 0;
  };
  const support::temp_directory directory;
  support::build_library(directory / "lib.so", two);
  autoreload::options chosen;
  chosen.guard = std::make_shared<thrower>();
  library lib(directory / "lib.so", chosen);
  ASSERT_TRUE(lib.last_failure());
  EXPECT_EQ(lib.last_failure()->at(), stage::guard);
  EXPECT_TRUE(lib.reload());
}

// ---- the rest

TEST(BadPatience, OfAnEventQueueNeitherOverflowsNorHangs) {
  autoreload::event_queue events;
  EXPECT_FALSE(events.next(-1h));
  EXPECT_FALSE(events.next(std::chrono::milliseconds::min()));
  EXPECT_FALSE(events.next(autoreload::event_kind::loaded, std::chrono::milliseconds::min()));
  for (const bool of_a_kind : {false, true}) {
    std::thread later([&] {
      std::this_thread::sleep_for(20ms);
      events.observer()({autoreload::event_kind::loaded, 7, "", "", std::nullopt, {}});
    });
    const auto longest = std::chrono::milliseconds::max();
    const auto got = of_a_kind ? events.next(autoreload::event_kind::loaded, longest) : events.next(longest);
    later.join();
    EXPECT_TRUE(got);
  }
}

TEST(BadDescriptor, ForCrashReportsIsRefusedAndNothingIsInstalled) {
  for (const int number : {-1, INT_MAX}) {
    const auto installed = autoreload::install_crash_report({number, true});
    ASSERT_FALSE(installed);
    EXPECT_EQ(installed.error().at(), stage::use);
    EXPECT_NE(installed.error().reason().find(std::to_string(number)), std::string::npos);
  }
  EXPECT_TRUE(autoreload::install_crash_report());
}

TEST(BadNames, OfStagesAndEventsAreUnknown) {
  EXPECT_EQ(to_string(static_cast<stage>(200)), "unknown");
  EXPECT_EQ(to_string(static_cast<autoreload::event_kind>(200)), "unknown");
}

TEST(BadPin, ReleasedTwiceMovedOntoItselfOrMovedFromIsHarmless) {
  const support::temp_directory directory;
  support::build_library(directory / "lib.so", two);
  const library lib(directory / "lib.so");
  auto pin = lib.pin();
  auto& same = pin;
  pin = std::move(same);
  EXPECT_EQ(pin->number(), 2);
  auto other = std::move(pin);
  pin.release();
  EXPECT_EQ(other->number(), 2);
  other.release();
  other.release();
}

}  // namespace
