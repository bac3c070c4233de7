// SPDX-License-Identifier: MIT
// going_back_test: an older generation runs again, on request or because the new one did not prove itself; and new
// builds wait while the host wants to stay where it is.
#include <gtest/gtest.h>

#include <string>

#include "engine_support.hpp"

using namespace std::chrono_literals;
using autoreload::cause;
using autoreload::event;
using autoreload::event_kind;
using support::library;
using support::put;

namespace {

class GoingBack : public support::EngineTest {
 protected:
  // A library of which so many builds have run.
  void run_builds(std::uint64_t count, autoreload::options chosen) {
    put(path_, 1);
    lib_.emplace(path_, std::move(chosen));
    for (std::uint64_t stamp = 2; stamp <= count; ++stamp) build(stamp);
  }
  void run_builds(std::uint64_t count) { run_builds(count, manual()); }
  void build(std::uint64_t stamp) {
    put(path_, stamp);
    lib_->poll();
    lib_->poll();
  }
  [[nodiscard]] library& lib() { return *lib_; }
  // Such as "3 running, 2 stored", once those that leave have left.
  [[nodiscard]] std::string states() {
    const auto list = [&] {
      std::string text;
      for (const autoreload::generation_record& one : lib_->history()) {
        text += (text.empty() ? "" : ", ") + std::to_string(one.number) + " " + std::string(to_string(one.state));
      }
      return text;
    };
    EXPECT_TRUE(support::comes_true([&] {
      lib_->poll();
      return list().find("retiring") == std::string::npos;
    }));
    return list();
  }
  [[nodiscard]] std::string failure() const { return lib_->last_failure() ? lib_->last_failure()->reason() : "none"; }

  std::optional<library> lib_;
};

TEST_F(GoingBack, OldGenerationsLeaveAndTheirCopiesStay) {
  run_builds(5);
  EXPECT_EQ(states(), "5 running, 4 stored, 3 stored, 2 stored") << "three by default";
  const auto all = lib().history();
  EXPECT_EQ(all[1].went, "a newer build took its place");
  EXPECT_EQ(all[0].went, "");
  EXPECT_GT(all[1].size, 1000U);
  EXPECT_EQ(all[1].build_id, all[0].build_id) << "the stamp alone differs";
  if (!support::sanitized) {
    EXPECT_EQ(support::loaded_snapshots().size(), 1U);
  }
}

TEST_F(GoingBack, AStoredOneIsLoadedAgainUnderANewNumber) {
  run_builds(3);
  (void)kinds();
  ASSERT_TRUE(lib().activate(1));
  EXPECT_EQ(lib()->stamp(), 1U);
  EXPECT_EQ(lib().generation(), 4U);
  const event told = expect(event_kind::activated);
  EXPECT_EQ(told.text, "generation 3 was sent away: generation 1 runs again, as generation 4");
  EXPECT_EQ(told.generation, 4U);
  EXPECT_EQ(lib().history()[0].why, cause::republished);
  EXPECT_EQ(states(), "4 running, 3 stored, 2 stored");
  EXPECT_EQ(lib().history()[1].went, told.text);
  lib().poll();
  EXPECT_EQ(lib()->stamp(), 1U) << "the file still has the third build";
  EXPECT_EQ(failure(), told.text);
}

TEST_F(GoingBack, ThatSurvivesTheFileAndItsDebugInformation) {
  put(path_, 1);
  lib_.emplace(path_, manual());
  const auto first = lib().history().at(0).contents;
  put(path_, 2);
  lib().poll();  // the first one may have left before its debug information was copied
  ASSERT_TRUE(support::comes_true([&] {
    lib().poll();
    return lib().history().size() == 2 && lib().history()[1].state == autoreload::generation_state::stored;
  }));
  std::filesystem::remove(path_);
  ASSERT_TRUE(lib().roll_back());
  EXPECT_EQ(lib()->stamp(), 1U);
  EXPECT_EQ(lib().history()[0].contents, first);
  (void)kinds();
  put(path_, 1);
  lib().poll();
  EXPECT_EQ(lib().generation(), 3U) << "it is what runs";
}

TEST_F(GoingBack, StepByStepEachOneThatGaveWayStaysAway) {
  run_builds(4);
  ASSERT_TRUE(lib().roll_back());
  EXPECT_EQ(lib()->stamp(), 3U);
  ASSERT_TRUE(lib().roll_back());
  EXPECT_EQ(lib()->stamp(), 2U);
  lib().poll();
  lib().poll();
  EXPECT_EQ(lib()->stamp(), 2U) << "the file has the fourth, which was sent away first";
  ASSERT_TRUE(lib().roll_back());
  EXPECT_EQ(lib()->stamp(), 1U);
  const auto no = lib().roll_back();
  ASSERT_FALSE(no);
  EXPECT_EQ(no.error().reason(), "there is no older generation to go back to");
  EXPECT_EQ(lib()->stamp(), 1U);
  build(5);
  EXPECT_EQ(lib()->stamp(), 5U);
  build(4);
  EXPECT_EQ(lib()->stamp(), 4U) << "by a new decision";
}

TEST_F(GoingBack, OneThatIsStillLoadedKeepsItsVariables) {
  autoreload::options chosen = manual();
  chosen.history.loaded = 1;
  put(path_, 1);
  lib_.emplace(path_, chosen);
  (void)lib()->count();
  const auto counted = lib()->count();
  build(2);
  EXPECT_EQ(states(), "2 running, 1 kept");
  ASSERT_TRUE(lib().roll_back());
  EXPECT_EQ(lib().generation(), 1U);
  EXPECT_EQ(lib()->count(), counted + 1);
  build(3);
  build(4);
  EXPECT_EQ(states(), "4 running, 3 kept, 2 stored, 1 stored");
}

TEST_F(GoingBack, APinHoldsWhatLeavesAndWhatComesBack) {
  run_builds(1);
  {
    const auto inside = lib().pin();
    build(2);
    ASSERT_TRUE(lib().activate(1)) << "it is still loaded, as somebody is inside";
    EXPECT_EQ(lib().generation(), 1U);
    EXPECT_EQ(lib().generation(inside), 1U);
    EXPECT_EQ(inside->stamp(), 1U);
  }
  EXPECT_EQ(states(), "2 stored, 1 running");
  EXPECT_EQ(lib()->stamp(), 1U);
}

TEST_F(GoingBack, HowMuchIsKeptIsTheHostsChoice) {
  autoreload::options chosen = manual();
  chosen.history.generations = 0;
  run_builds(3, chosen);
  EXPECT_EQ(states(), "3 running");
  EXPECT_FALSE(lib().roll_back());
  chosen.history = {9, 2 * support::read_file(path_).size() + 1, 0};
  lib_.reset();
  run_builds(6, chosen);
  EXPECT_EQ(states(), "6 running, 5 stored, 4 stored") << "more are not, for their size";
}

TEST_F(GoingBack, NothingIsLeftOpenAtTheEnd) {
  const std::size_t before = support::open_descriptors();
  run_builds(5);
  ASSERT_TRUE(lib().activate(3));
  lib_.reset();
  EXPECT_EQ(support::open_descriptors(), before);
}

TEST_F(GoingBack, WhileHeldNewBuildsAreToldAndWait) {
  run_builds(1);
  lib().hold();
  EXPECT_EQ(expect(event_kind::held).text, "hold() was called");
  build(2);
  const event waits = expect(event_kind::held);
  EXPECT_EQ(waits.failure->reason(), "a new build waits: hold() was called");
  EXPECT_EQ(waits.generation, 1U);
  lib().poll();
  std::filesystem::last_write_time(path_, std::filesystem::file_time_type::clock::now());
  lib().poll();
  EXPECT_EQ(kinds(), "") << "each build is told once";
  build(3);
  EXPECT_EQ(expect(event_kind::held).failure->reason(), waits.failure->reason());
  support::write_file(path_ + ".new", "no library");
  std::filesystem::rename(path_ + ".new", path_);
  lib().poll();
  EXPECT_EQ(kinds(), "refused") << "what is no library is no build that waits";
  build(3);
  EXPECT_EQ(lib()->stamp(), 1U);
  EXPECT_EQ(failure(), waits.failure->reason());
  lib().release();
  EXPECT_EQ(lib()->stamp(), 3U);
  EXPECT_EQ(lib().generation(), 2U) << "the second build was never loaded";
  EXPECT_EQ(failure(), "none");
  expect(event_kind::released);
  EXPECT_EQ(expect(event_kind::loaded).generation, 2U);
}

TEST_F(GoingBack, WhileHeldTheHostMayStillAsk) {
  run_builds(2);
  ASSERT_NE(states(), "");
  lib().hold();
  ASSERT_TRUE(lib().roll_back());
  EXPECT_EQ(lib()->stamp(), 1U);
  build(3);
  EXPECT_EQ(lib()->stamp(), 1U);
  ASSERT_TRUE(lib().reload());
  EXPECT_EQ(lib()->stamp(), 3U);
  build(4);
  EXPECT_EQ(lib()->stamp(), 3U) << "once";
}

TEST_F(GoingBack, OnProbationTheOneBeforeStaysLoaded) {
  autoreload::options chosen = manual();
  chosen.probation.until_approved = true;
  run_builds(2, chosen);
  EXPECT_EQ(states(), "2 running, 1 kept");
  build(3);
  EXPECT_EQ(states(), "3 running, 2 stored, 1 kept") << "the second never proved itself";
  const auto third = support::entries("/proc/self/fd");
  ASSERT_TRUE(lib().reject("it draws upside down"));
  EXPECT_LE(support::entries("/proc/self/fd"), third) << "nothing was loaded for it";
  EXPECT_EQ(lib().generation(), 1U);
  EXPECT_EQ(expect(event_kind::activated).text,
            "generation 3 was rejected (it draws upside down): generation 1 runs again");
  EXPECT_FALSE(lib().approve()) << "the first one is none that is on probation";
  build(4);
  ASSERT_TRUE(lib().approve());
  EXPECT_EQ(expect(event_kind::approved).generation, 4U);
  EXPECT_EQ(states(), "4 running, 3 stored, 2 stored, 1 stored");
}

TEST_F(GoingBack, ProbationEndsWithTime) {
  autoreload::options chosen = background();
  chosen.probation.time = 20ms;
  put(path_, 1);
  lib_.emplace(path_, chosen);
  put(path_, 2);
  EXPECT_EQ(expect(event_kind::approved).text, "it ran for 20 ms");
  EXPECT_EQ(expect(event_kind::unloaded).generation, 1U) << "by the service, without any other event";
}

TEST_F(GoingBack, WorksUnderCallersOfOtherThreads) {
  autoreload::options chosen = background();
  chosen.history.loaded = 1;
  put(path_, 1);
  lib_.emplace(path_, chosen);
  put(path_, 2);
  ASSERT_TRUE(support::comes_true([&] { return lib().generation() == 2; }));
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> wrong{0};
  std::thread caller([&] {
    while (!stop) {
      const auto seen = lib()->stamp();
      wrong += seen != 1 && seen != 2 ? 1U : 0U;
    }
  });
  for (int i = 0; i < 200; ++i) {
    const auto done = i % 2 == 0 ? lib().roll_back() : lib().activate(2);
    EXPECT_TRUE(done) << done.error().what();
  }
  stop = true;
  caller.join();
  EXPECT_EQ(wrong, 0U);
}

}  // namespace
