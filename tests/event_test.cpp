// SPDX-License-Identifier: MIT
// event_test: what an event says to a person, and what is said when the host gives no observer.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <autoreload/autoreload.hpp>
#include <csignal>
#include <string>

#include "support.hpp"

namespace {

using autoreload::event;
using autoreload::event_kind;
using namespace std::chrono_literals;

autoreload::error refusal() {
  return autoreload::error(autoreload::stage::inspect, "libfoo.so", "this is a text file").advise("build it again");
}

TEST(Event, SaysHowLongALoadTookAndWhichStagesRan) {
  event loaded{event_kind::loaded, 2, "libfoo.so", "", std::nullopt, {}};
  loaded.times.snapshot = 40us;
  loaded.times.load = 131400ns;
  loaded.times.total = 189us;
  EXPECT_EQ(to_string(loaded), "loaded: \"libfoo.so\": generation 2 after 189 us (snapshot 40, load 131)");
  loaded.times.load = 131ms;
  loaded.times.total = 140ms;
  EXPECT_EQ(to_string(loaded), "loaded: \"libfoo.so\": generation 2 after 140.0 ms (snapshot 0.0, load 131.0)");
}

TEST(Event, SaysAllOfARefusalAndWhoGoesOn) {
  const event refused{event_kind::refused, 3, "libfoo.so", refusal().reason(), refusal(), {}};
  EXPECT_EQ(to_string(refused), std::string("refused: ") + refusal().what() + "\n  generation 3 goes on");
  const event first{event_kind::waiting, 0, "libfoo.so", refusal().reason(), refusal(), {}};
  EXPECT_EQ(to_string(first), std::string("waiting: ") + refusal().what());
}

TEST(Event, SaysWhichBuildItIsAboutWhereTheGenerationDoesNot) {
  const event refused{event_kind::refused, 1, "libfoo.so", refusal().reason(), refusal(), {}, 2};
  EXPECT_EQ(to_string(refused), std::string("refused: build 2: ") + refusal().what() + "\n  generation 1 goes on");
  EXPECT_EQ(to_string(event{event_kind::loaded, 2, "libfoo.so", "", std::nullopt, {}, 3}),
            "loaded: \"libfoo.so\": generation 2 (build 3)");
  EXPECT_EQ(to_string(event{event_kind::loaded, 1, "libfoo.so", "", std::nullopt, {}, 1}),
            "loaded: \"libfoo.so\": generation 1");
}

TEST(Event, SaysAnUnloadingOnce) {
  const event unloaded{event_kind::unloaded, 1, "libfoo.so", "unloaded", std::nullopt, {}};
  EXPECT_EQ(to_string(unloaded), "unloaded: \"libfoo.so\": generation 1");
}

TEST(Event, LosesNoTextWhateverItsKind) {
  const std::string text = "the one thing to know";
  for (const event_kind kind :
       {event_kind::loaded, event_kind::refused, event_kind::waiting, event_kind::unloaded, event_kind::retained,
        event_kind::warning, event_kind::current, event_kind::activated, event_kind::held, event_kind::released,
        event_kind::approved, event_kind::quarantined, event_kind::stuck}) {
    SCOPED_TRACE(to_string(kind));
    const std::string plain = to_string(event{kind, 7, "libfoo.so", text, std::nullopt, {}});
    EXPECT_EQ(plain, std::string(to_string(kind)) + ": \"libfoo.so\": generation 7: " + text);
    EXPECT_NE(to_string(event{kind, 7, "libfoo.so", text, refusal(), {}}).find(text), std::string::npos);
  }
  EXPECT_EQ(to_string(event{event_kind::warning, 0, "libfoo.so", text, std::nullopt, {}}),
            "warning: \"libfoo.so\": " + text);
}

// Standard error goes to another file while it lives.
class redirected_stderr {
 public:
  explicit redirected_stderr(int file) : before_(fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3)) {
    dup2(file, STDERR_FILENO);
  }
  redirected_stderr(const redirected_stderr&) = delete;
  redirected_stderr& operator=(const redirected_stderr&) = delete;
  ~redirected_stderr() {
    dup2(before_, STDERR_FILENO);
    close(before_);
  }

 private:
  int before_;
};

// What is written to standard error while this runs.
template <class Action>
std::string said_by(const Action& action) {
  const int file = memfd_create("stderr", MFD_CLOEXEC);
  {
    const redirected_stderr redirected(file);
    action();
  }
  std::string text(static_cast<std::size_t>(lseek(file, 0, SEEK_END)), '\0');
  EXPECT_EQ(pread(file, text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
  close(file);
  return text;
}

struct answer_api {
  autoreload::required_as<"answer", int()> answer;
};

class DefaultObserver : public testing::Test {
 protected:
  [[nodiscard]] autoreload::options by_hand() const {
    autoreload::options chosen;
    chosen.drive = autoreload::drive_mode::manual;
    chosen.trust.honour_noexec = false;
    return chosen;
  }

  // A library that begs never to be unloaded, then a text in its place.
  void load_and_break(const autoreload::options& chosen) const {
    support::build_library(path_, "int answer(void) { return 42; }\n", "-Wl,-z,nodelete");
    autoreload::reloadable<answer_api> library(path_, chosen);
    EXPECT_EQ(library->answer(), 42);
    support::write_file(directory_ / "text", "no library\n");
    std::filesystem::rename(directory_ / "text", path_);
    EXPECT_FALSE(library.reload());
  }

  support::temp_directory directory_;
  std::string path_ = directory_ / "libanswer.so";
};

TEST_F(DefaultObserver, WritesEverythingThatTheEngineSaysToStandardError) {
  const std::string said = said_by([&] { load_and_break(by_hand()); });
  EXPECT_NE(said.find("autoreload: loaded: \"" + path_ + "\": generation 1 after "), std::string::npos) << said;
  EXPECT_NE(said.find("autoreload: warning: \"" + path_ + "\": generation 1: it asks never to be unloaded"),
            std::string::npos)
      << said;
  EXPECT_NE(said.find("autoreload: refused: build 2: inspect: \"" + path_ + "\": "), std::string::npos) << said;
  EXPECT_NE(said.find("\n  generation 1 goes on\n"), std::string::npos) << said;
}

TEST_F(DefaultObserver, IsSilencedByOneWord) {
  autoreload::options chosen = by_hand();
  chosen.observer = autoreload::silent;
  EXPECT_EQ(said_by([&] { load_and_break(chosen); }), "");
}

TEST_F(DefaultObserver, GoesOnWhereNobodyReadsStandardErrorAnyMore) {
  std::array<int, 2> ends{};
  ASSERT_EQ(pipe2(ends.data(), O_CLOEXEC), 0);
  close(ends[0]);
  {
    const redirected_stderr redirected(ends[1]);
    autoreload::log_to_stderr({event_kind::warning, 1, path_, "unheard", std::nullopt, {}});
  }
  close(ends[1]);
  sigset_t pending;
  sigpending(&pending);
  EXPECT_EQ(sigismember(&pending, SIGPIPE), 0) << "the host would end as soon as it unblocks the signal";
}

TEST_F(DefaultObserver, GoesOnWhereStandardErrorIsAFileAtItsLimit) {
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  const std::string said = said_by([&] {
    const rlimit small{8, before.rlim_max};
    setrlimit(RLIMIT_FSIZE, &small);
    autoreload::log_to_stderr({event_kind::warning, 1, path_, "too long", std::nullopt, {}});
    setrlimit(RLIMIT_FSIZE, &before);
  });
  EXPECT_EQ(said, "autorelo");
}

TEST_F(DefaultObserver, GoesOnWhereStandardErrorIsClosed) {
  const int kept = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
  close(STDERR_FILENO);
  autoreload::log_to_stderr({event_kind::warning, 1, path_, "unheard", std::nullopt, {}});
  dup2(kept, STDERR_FILENO);
  close(kept);
}

}  // namespace
