// SPDX-License-Identifier: MIT
// history_test: what becomes of generations, and how an older one runs again.
#include "reload/history/history.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "engine_support.hpp"
#include "reload/engine_core.hpp"
#include "reload/going_back/going_back.hpp"

using namespace std::chrono_literals;
using autoreload::cause;
using autoreload::event_kind;
using autoreload::generation_record;
using autoreload::generation_state;
using support::put;
using support::worker_api;

namespace {

using core = autoreload::detail::engine_core;
using autoreload::detail::going_back;

// An engine without its handle, which has no name for what is tried here.
class History : public support::EngineTest {
 protected:
  void start(bool keep_old) {
    autoreload::options chosen = manual();
    chosen.keep_old = keep_old;
    engine_ = std::make_shared<core>(autoreload::detail::loader_for<worker_api, autoreload::TEST_BACKEND::backend>(),
                                     path_, chosen, current_);
    engine_->open();
  }
  void TearDown() override {
    if (engine_ != nullptr) engine_->close();
  }
  void build(std::uint64_t stamp) {
    put(path_, stamp);
    engine_->poll();
  }
  [[nodiscard]] std::uint64_t stamp() const { return autoreload::call_pin<worker_api>(current_)->stamp(); }
  [[nodiscard]] std::string failure() const { return engine_->failure() ? engine_->failure()->reason() : "none"; }
  // Such as "3 running, 2 kept".
  [[nodiscard]] std::string states() const {
    std::string list;
    for (const generation_record& one : engine_->records()) {
      list += (list.empty() ? "" : ", ") + std::to_string(one.number) + " " + std::string(to_string(one.state));
    }
    return list;
  }

  mutable autoreload::detail::published current_{&autoreload::not_loaded_api<worker_api>()};
  std::shared_ptr<core> engine_;
};

TEST_F(History, KnowsOfEachGenerationWhatItIsAndWhyItRan) {
  put(path_, 1);
  const auto before = std::chrono::system_clock::now();
  start(true);
  build(2);
  ASSERT_TRUE(engine_->reload());
  EXPECT_EQ(states(), "3 running, 2 kept, 1 kept");
  const std::vector<generation_record> all = engine_->records();
  EXPECT_EQ(all[0].why, cause::asked);
  EXPECT_EQ(all[1].why, cause::changed);
  EXPECT_EQ(all[2].why, cause::first);
  EXPECT_EQ(all[0].contents, all[1].contents) << "the same file";
  EXPECT_NE(all[1].contents, all[2].contents) << "they differ in their stamps alone";
  EXPECT_EQ(all[1].build_id, all[2].build_id);
  EXPECT_GE(all[2].since, before);
  EXPECT_GE(all[0].since, all[1].since);
}

TEST_F(History, WhatIsInsideOfAnOldOneKeepsItRetiring) {
  put(path_, 1);
  start(false);
  {
    const autoreload::pin<worker_api> inside(current_);
    build(2);
    EXPECT_EQ(states(), "2 running, 1 retiring");
  }
  EXPECT_TRUE(support::comes_true([&] {
    engine_->poll();
    return states() == "2 running, 1 stored";
  }));
}

TEST_F(History, AnOlderOneThatIsKeptRunsAgainUnderItsOwnNumber) {
  put(path_, 1);
  start(true);
  build(2);
  ASSERT_EQ(stamp(), 2U);
  const void* const second = current_.confirmed;
  ASSERT_TRUE(going_back(*engine_).activate(1));
  EXPECT_EQ(stamp(), 1U);
  EXPECT_EQ(engine_->number(), 1U);
  EXPECT_EQ(engine_->number_of(current_.confirmed), 1U);
  EXPECT_EQ(engine_->number_of(second), 2U) << "callers may still be inside of it";
  EXPECT_EQ(states(), "2 kept, 1 running");
  EXPECT_EQ(engine_->records()[1].why, cause::republished);
  ASSERT_TRUE(going_back(*engine_).activate(2)) << "and forth";
  EXPECT_EQ(stamp(), 2U);
}

TEST_F(History, WhatWasSentAwayIsNotLoadedAgainUntilItsContentsChange) {
  put(path_, 1);
  start(true);
  build(2);
  ASSERT_TRUE(going_back(*engine_).activate(1));
  engine_->poll();
  EXPECT_EQ(stamp(), 1U);
  EXPECT_EQ(failure(), "generation 2 was sent away: generation 1 runs again");
  build(2);  // another file, the same bytes
  EXPECT_EQ(stamp(), 1U);
  std::filesystem::last_write_time(path_, std::filesystem::file_time_type::clock::now());
  engine_->poll();
  EXPECT_EQ(stamp(), 1U);
  build(3);
  EXPECT_EQ(stamp(), 3U);
  EXPECT_EQ(engine_->number(), 3U) << "2 is taken";
  EXPECT_EQ(failure(), "none");
  build(2);
  EXPECT_EQ(stamp(), 2U) << "it was changed, and is as it was by a new decision";
  EXPECT_EQ(engine_->number(), 4U);
}

TEST_F(History, WhatWasSentAwayIsLoadedOnRequest) {
  put(path_, 1);
  start(true);
  build(2);
  ASSERT_TRUE(going_back(*engine_).activate(1));
  ASSERT_TRUE(engine_->reload());
  EXPECT_EQ(stamp(), 2U);
  EXPECT_EQ(engine_->number(), 3U);
}

TEST_F(History, TheFileOfTheOneThatRunsAgainIsNoNews) {
  put(path_, 1);
  start(true);
  build(2);
  ASSERT_TRUE(going_back(*engine_).activate(1));
  (void)kinds();
  build(1);
  EXPECT_EQ(engine_->number(), 1U);
  EXPECT_EQ(failure(), "none");
  EXPECT_EQ(kinds().find("loaded"), std::string::npos);
}

TEST_F(History, WhatIsNotKnownCannotRunAgain) {
  put(path_, 1);
  start(false);
  build(2);
  for (const std::uint64_t number : {0U, 3U}) {
    const auto done = going_back(*engine_).activate(number);
    ASSERT_FALSE(done) << number;
    EXPECT_EQ(done.error().reason(), "generation " + std::to_string(number) + " is not kept");
  }
  EXPECT_EQ(going_back(*engine_).activate(2).error().reason(), "generation 2 is the one that runs");
  EXPECT_EQ(stamp(), 2U);
}

TEST(HistoryPauses, GrowWithTheTimeThatWasWaited) {
  using autoreload::history;
  EXPECT_EQ(history::pause_after(0ms, 0ms), 1ms);
  EXPECT_EQ(history::pause_after(64ms, 127ms), 128ms);
  EXPECT_EQ(history::pause_after(250ms, 1s), 250ms);
  EXPECT_EQ(history::pause_after(250ms, 8s), 1s);
  EXPECT_EQ(history::pause_after(1s, 1h), 30s) << "what is held for hours is not looked at four times a second";
}

}  // namespace
