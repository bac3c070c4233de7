// SPDX-License-Identifier: MIT
// memory_test: what follows from a look at the file, as a table: no files, no clock, no threads.
#include "reload/memory.hpp"

#include <gtest/gtest.h>

#include <string>

using namespace std::chrono_literals;
using autoreload::attempt;
using autoreload::conclude;
using autoreload::event_kind;
using autoreload::file_identity;
using autoreload::memory;
using autoreload::setback;
using autoreload::setback_kind;
using autoreload::stage;
using autoreload::time_point;

namespace {

constexpr file_identity one_file{1, 2, 3, 4, 5};
constexpr file_identity another_file{1, 3, 3, 4, 5};
constexpr time_point start{1h};

autoreload::error because(const std::string& reason) { return {stage::inspect, "lib.so", reason}; }

// An engine's looks, one after the other.
class Looks : public testing::Test {
 protected:
  Looks() { known_.opening = false; }

  // The kinds of what is told, such as "loaded warning".
  std::string look(attempt result) {
    result.generation = 7;
    autoreload::conclusion after = conclude(known_, result, now_);
    known_ = std::move(after.next);
    std::string told;
    for (const autoreload::event& one : after.events) {
      EXPECT_EQ(one.generation, 7U);
      told += (told.empty() ? "" : " ") + std::string(to_string(one.kind));
    }
    return told;
  }
  static attempt no(setback_kind kind, const std::string& reason) {
    return {.no = setback{kind, because(reason)}, .settled = one_file, .build = 11};
  }
  static attempt unchanged() { return {.no = setback{setback_kind::unchanged}, .settled = one_file, .needs_state = 5}; }
  [[nodiscard]] std::string failure() const { return known_.failure ? known_.failure->reason() : "none"; }

  memory known_;
  time_point now_ = start;
};

TEST_F(Looks, WhatEachEndOfALookTellsAndRemembers) {
  struct row {
    setback_kind kind;
    const char* told;
    const char* failure;
    bool looked_at;   // the file is not looked at again until it changes
    bool remembered;  // these contents are not judged again
    bool timed;       // there is another look without an event
  };
  constexpr row table[] = {
      {setback_kind::unchanged, "", "none", true, false, false},
      {setback_kind::withdrawn, "", "an old one", false, false, false},
      {setback_kind::on_trial, "", "an old one", false, false, false},
      {setback_kind::busy, "", "an old one", false, false, true},
      {setback_kind::unfinished, "", "a reason", false, false, true},
      {setback_kind::shortage, "refused", "a reason", false, false, true},
      {setback_kind::refused_elsewhere, "refused", "a reason", false, false, false},
      {setback_kind::refused_content, "refused", "a reason", true, true, false},
  };
  for (const row& one : table) {
    SCOPED_TRACE(static_cast<int>(one.kind));
    known_ = memory{};
    known_.opening = false;
    known_.failure = because("an old one");
    attempt result = no(one.kind, "a reason");
    if (one.kind == setback_kind::busy) result.no->writing = one_file;
    EXPECT_EQ(look(result), one.told);
    EXPECT_EQ(failure(), one.failure);
    EXPECT_EQ(known_.looked_at.has_value(), one.looked_at);
    EXPECT_EQ(known_.refused.has_value(), one.remembered);
    EXPECT_EQ(known_.look_at != autoreload::never, one.timed);
  }
}

TEST_F(Looks, ALoadIsToldWithItsWarningsBehindAndEndsEveryFailure) {
  EXPECT_EQ(look(no(setback_kind::refused_content, "broken")), "refused");
  EXPECT_EQ(look({.settled = one_file, .needs = {{"part"}}, .needs_state = 9, .warnings = {"a", "b"}}),
            "loaded warning warning");
  EXPECT_EQ(failure(), "none");
  EXPECT_FALSE(known_.refused);
  EXPECT_EQ(known_.looked_at, one_file);
  EXPECT_EQ(known_.needed, std::vector<std::string>{"part"});
  EXPECT_EQ(known_.needed_state, 9U);
}

TEST_F(Looks, AFileThatMayYetChangeUnseenIsLookedAtAgain) {
  attempt result = unchanged();
  result.settled.reset();
  EXPECT_EQ(look(result), "");
  EXPECT_FALSE(known_.looked_at);
}

TEST_F(Looks, TheSameContentsAreRefusedOnceAndTheirReasonComesBackWithThem) {
  EXPECT_EQ(look(no(setback_kind::refused_content, "broken")), "refused");
  EXPECT_EQ(look(no(setback_kind::unfinished, "gone")), "");
  EXPECT_EQ(failure(), "gone");
  EXPECT_EQ(look(no(setback_kind::refused_before, "broken")), "");
  EXPECT_EQ(failure(), "broken");
  EXPECT_FALSE(known_.awaited);
  EXPECT_EQ(look(no(setback_kind::refused_content, "broken")), "refused") << "on request it is judged again";
}

TEST_F(Looks, AShortageThatLastsIsToldOnceAndTriedAgainEachTime) {
  for (const char* const told : {"refused", "", ""}) {
    EXPECT_EQ(look(no(setback_kind::shortage, "no descriptor")), told);
    EXPECT_EQ(known_.look_at, now_ + 1s);
    now_ = known_.look_at;
  }
  EXPECT_EQ(look(no(setback_kind::shortage, "no memory")), "refused") << "another one is news";
}

TEST_F(Looks, EachBuildThatIsLoadedOrRefusedCountsOnce) {
  const auto attempt_of = [&](const attempt& result) {
    autoreload::conclusion after = conclude(known_, result, now_);
    known_ = std::move(after.next);
    return after.events.empty() ? 0 : after.events.front().attempt;
  };
  EXPECT_EQ(attempt_of({.generation = 1}), 1U);
  EXPECT_EQ(attempt_of(no(setback_kind::refused_content, "broken")), 2U);
  EXPECT_EQ(attempt_of(no(setback_kind::refused_before, "broken")), 0U);
  EXPECT_EQ(attempt_of(no(setback_kind::shortage, "no memory")), 3U);
  EXPECT_EQ(attempt_of(no(setback_kind::shortage, "no memory")), 0U) << "still the same";
  EXPECT_EQ(attempt_of(unchanged()), 0U);
  EXPECT_EQ(attempt_of({.generation = 2}), 4U);
}

TEST_F(Looks, ComingBackIsToldOnceIfTheTroubleWas) {
  EXPECT_EQ(look(unchanged()), "") << "nothing had happened";
  EXPECT_EQ(look(no(setback_kind::refused_content, "broken")), "refused");
  EXPECT_EQ(look(unchanged()), "current");
  EXPECT_EQ(look(unchanged()), "");
  EXPECT_EQ(look(no(setback_kind::unfinished, "gone")), "");
  EXPECT_EQ(look(unchanged()), "") << "a linker at work is no trouble";
  EXPECT_EQ(look(no(setback_kind::unfinished, "gone")), "");
  now_ += 1s;
  EXPECT_EQ(look(no(setback_kind::unfinished, "gone")), "waiting");
  EXPECT_EQ(look(unchanged()), "current");
  EXPECT_EQ(look(no(setback_kind::refused_content, "broken")), "refused");
  EXPECT_EQ(look({.settled = one_file}), "loaded");
  EXPECT_EQ(look(unchanged()), "") << "loaded said it";
}

TEST_F(Looks, AWarningIsToldForEachGenerationThatHasIt) {
  for (const char* const told : {"loaded warning", "loaded warning"}) EXPECT_EQ(look({.warnings = {"a"}}), told);
  EXPECT_EQ(look({}), "loaded");
  EXPECT_EQ(look({.warnings = {"a"}}), "loaded warning") << "it came back";
}

TEST_F(Looks, OnlyAWaitThatLastsIsToldAndOnce) {
  EXPECT_EQ(look(no(setback_kind::unfinished, "half")), "");
  const time_point worth_a_word = known_.look_at;
  EXPECT_EQ(worth_a_word, start + 500ms);
  now_ += 100ms;
  EXPECT_EQ(look(no(setback_kind::unfinished, "half")), "") << "an event, and nothing new";
  EXPECT_EQ(known_.look_at, worth_a_word);
  now_ = worth_a_word;
  EXPECT_EQ(look(no(setback_kind::unfinished, "half")), "waiting");
  EXPECT_EQ(known_.look_at, autoreload::never);
  EXPECT_EQ(look(no(setback_kind::unfinished, "half")), "");
}

TEST_F(Looks, AWaitForAnotherReasonBeginsAnew) {
  EXPECT_EQ(look(no(setback_kind::unfinished, "gone")), "");
  now_ += 499ms;
  EXPECT_EQ(look(no(setback_kind::unfinished, "half")), "");
  EXPECT_EQ(known_.look_at, now_ + 500ms);
}

TEST_F(Looks, TheConstructorTellsAtOnceWhatItWaitsFor) {
  known_.opening = true;
  EXPECT_EQ(look(no(setback_kind::unfinished, "gone")), "waiting");
  EXPECT_EQ(look(no(setback_kind::unfinished, "gone")), "");
}

TEST_F(Looks, AFileThatIsBeingWrittenIsLookedAtInGrowingStepsUntilItIsAnother) {
  attempt result = no(setback_kind::busy, "being written");
  result.no->writing = one_file;
  for (const auto pause : {10ms, 20ms, 40ms, 80ms, 160ms, 250ms, 250ms}) {
    EXPECT_EQ(look(result), "");
    EXPECT_EQ(known_.look_at, now_ + pause);
  }
  result.no->writing = another_file;
  EXPECT_EQ(look(result), "");
  EXPECT_EQ(known_.look_at, now_ + 10ms);
}

TEST_F(Looks, ADependencyThatIsBeingWrittenIsLookedAtSoonAndToldIfItLasts) {
  attempt result = no(setback_kind::unfinished, "its part is being written");
  result.no->writing = one_file;
  EXPECT_EQ(look(result), "");
  EXPECT_EQ(known_.look_at, now_ + 10ms);
  now_ += 600ms;
  EXPECT_EQ(look(result), "waiting");
  EXPECT_EQ(known_.look_at, now_ + 20ms);
}

TEST_F(Looks, WhatIsSentAwayBeforeItsDependenciesWereLookedForKeepsThoseThatAreKnown) {
  known_.needed = {"part"};
  known_.needed_state = 3;
  EXPECT_EQ(look(no(setback_kind::unfinished, "half")), "");
  EXPECT_EQ(known_.needed, std::vector<std::string>{"part"});
  attempt result = no(setback_kind::refused_content, "does not fit");
  result.needs = {{"other"}};
  result.needs_state = 4;
  EXPECT_EQ(look(result), "refused");
  EXPECT_EQ(known_.needed, std::vector<std::string>{"other"});
  EXPECT_EQ(known_.needed_state, 3U) << "that of the running generation";
}

}  // namespace
