// SPDX-License-Identifier: MIT
// handover_test: one generation hands over to the next, with real libraries: who waits, what is carried, and that
// whatever fails leaves the old one as it was.
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <thread>
#include <vector>

#include "handover_support.hpp"

using autoreload::start;
using support::guest_inside;
using support::handed_api;
using support::handed_library;
using support::put_handed;

namespace {
support::told_by_libraries told;
}

extern "C" {
int (*handed_hook)(const char*, std::uint64_t) = [](const char* where, std::uint64_t stamp) {
  return told.tell(where, stamp);
};
}

namespace {

class Handover : public support::HandoverTest {
 protected:
  Handover() {
    (void)told.take();
    told.constructors = 0;
    told.answer_of_new = 0;
    told.meanwhile = nullptr;
  }
  // The old generation goes on with its number untouched, and nothing is left of the new one.
  void expect_that_the_old_one_goes_on(std::uint64_t stamp, std::uint64_t total) {
    EXPECT_EQ((*lib_)->stamp(), stamp);
    EXPECT_EQ((*lib_)->total(), total);
    EXPECT_FALSE(is_closed());
    EXPECT_EQ(support::loaded_snapshots().size(), 1U);
  }
};

// ---- by hand

TEST_F(Handover, ByHandCarriesANumberFromOneGenerationToTheNext) {
  start(1, unhurried());
  carry_by_hand();
  (*lib_)->set_total(42);
  build(2);
  EXPECT_EQ((*lib_)->stamp(), 2U);
  EXPECT_EQ((*lib_)->total(), 42U);
  EXPECT_GT(expect(kind::loaded).times.handover.count(), 0);
}

TEST_F(Handover, IsNotMadeWhenThereIsNothingToHandOver) {
  start(1, unhurried());
  (*lib_)->set_total(42);
  guest_inside guest(*lib_);
  build(2);  // would wait for the guest
  EXPECT_EQ((*lib_)->stamp(), 2U);
  EXPECT_EQ((*lib_)->total(), 0U);
  EXPECT_EQ(expect(kind::loaded).times.handover.count(), 0);
  EXPECT_EQ(guest.finish(), 1U);
}

TEST_F(Handover, ByHandCanBeReplacedAndTakenAway) {
  start(1, unhurried());
  carry_by_hand();
  lib_->on_handover([](const handed_api&, const handed_api& to) { to.set_total(7); });
  build(2);
  EXPECT_EQ((*lib_)->total(), 7U);
  lib_->on_handover(nullptr);
  build(3);
  EXPECT_EQ((*lib_)->total(), 0U);
}

TEST_F(Handover, ByHandMayCallBothAndTheLibraryItself) {
  start(1, unhurried());
  std::vector<std::uint64_t> stamps;
  lib_->on_handover([&](const handed_api& from, const handed_api& to) {
    stamps = {from.stamp(), to.stamp(), (*lib_)->stamp(), lib_->pin()->stamp(), (*lib_->try_pin())->stamp()};
  });
  build(2);
  EXPECT_EQ(stamps, (std::vector<std::uint64_t>{1, 2, 1, 1, 1}));
}

TEST_F(Handover, ByHandThatThrowsLeavesTheOldGenerationAsItWas) {
  start(1, unhurried());
  (*lib_)->set_total(42);
  lib_->on_handover([](const handed_api& from, const handed_api& to) {
    to.set_total(from.total());
    throw std::runtime_error("no room for the world");
  });
  build(2);
  const autoreload::event refused = expect(kind::refused);
  ASSERT_TRUE(refused.failure);
  EXPECT_EQ(refused.failure->at(), autoreload::stage::handover);
  EXPECT_EQ(refused.failure->system(), "no room for the world");
  expect_that_the_old_one_goes_on(1, 42);
  lib_->poll();
  EXPECT_EQ(kinds(), "") << "the same contents are refused once";
  EXPECT_EQ(told.constructors, 2);
  build(3);
  EXPECT_EQ(expect(kind::refused).generation, 1U) << "other contents are tried";
  carry_by_hand();
  ASSERT_TRUE(lib_->reload());
  EXPECT_EQ((*lib_)->total(), 42U);
}

TEST_F(Handover, StartsAnewOnRequest) {
  start(1, unhurried());
  carry_by_hand();
  (*lib_)->set_total(42);
  guest_inside guest(*lib_);
  ASSERT_TRUE(lib_->reload(start::fresh)) << "and waits for nobody";
  EXPECT_EQ((*lib_)->total(), 0U);
  EXPECT_EQ(lib_->generation(), 2U);
  guest.finish();
  (*lib_)->set_total(43);
  ASSERT_TRUE(lib_->reload());
  EXPECT_EQ((*lib_)->total(), 43U);
}

// ---- who waits

TEST_F(Handover, HoldsUpACallThatBeginsMeanwhile) {
  start(1, unhurried());
  std::atomic<std::uint64_t> stamp{0};
  std::atomic<pid_t> number{0};
  std::thread caller;
  lib_->on_handover([&](const handed_api&, const handed_api&) {
    caller = std::thread([&] {
      number = gettid();
      stamp = (*lib_)->stamp();
    });
    EXPECT_TRUE(support::comes_true([&] { return number != 0 && support::sleeps(number); }));
    EXPECT_EQ(stamp, 0U);
  });
  build(2);
  caller.join();
  EXPECT_EQ(stamp, 2U) << "it goes into the new one";
}

TEST_F(Handover, TellsWhoDoesNotWantToWaitThatItIsUnderWay) {
  start(1, unhurried());
  bool pinned = true;
  std::optional<std::uint64_t> sum = 7;
  lib_->on_handover([&](const handed_api&, const handed_api&) {
    std::thread([&] {
      pinned = lib_->try_pin().has_value();
      sum = lib_->try_call<&handed_api::add>();
    }).join();
  });
  build(2);
  EXPECT_FALSE(pinned);
  EXPECT_FALSE(sum);
  EXPECT_EQ((*lib_)->total(), 0U) << "nothing was called";
  EXPECT_TRUE(lib_->try_pin());
  EXPECT_EQ(lib_->try_call<&handed_api::add>(), 1U);
}

TEST_F(Handover, LetsACallInsideACallGoOn) {
  start(1, unhurried());
  carry_by_hand();
  guest_inside guest(*lib_);
  put_handed(path_, 2);
  std::thread engine([&] { lib_->poll(); });
  EXPECT_TRUE(support::comes_true([&] { return is_closed(); }));
  std::uint64_t nested = 0;
  std::optional<std::uint64_t> tried;
  guest.run([&] {
    (*lib_)->set_total(42);
    nested = lib_->pin()->stamp();
    tried = lib_->try_call<&handed_api::add>();
  });
  EXPECT_EQ(nested, 1U);
  EXPECT_EQ(tried, 43U);
  EXPECT_EQ(guest.finish(), 1U);
  engine.join();
  EXPECT_EQ((*lib_)->stamp(), 2U);
  EXPECT_EQ((*lib_)->total(), 43U) << "what a nested call did is handed over, too";
}

TEST_F(Handover, ThatCallsHoldUpIsGivenUpAndTriedAgainLater) {
  start(1, hurried());
  carry_by_hand();
  (*lib_)->set_total(42);
  guest_inside guest(*lib_);
  build(2);
  const autoreload::event waits = expect(kind::waiting);
  ASSERT_TRUE(waits.failure);
  EXPECT_EQ(waits.generation, 1U);
  EXPECT_EQ(waits.failure->at(), autoreload::stage::handover);
  EXPECT_NE(waits.text.find("thread " + std::to_string(guest.number()) + " (\"lingerer\")"), std::string::npos)
      << waits.text;
  EXPECT_FALSE(is_closed());
  EXPECT_EQ((*lib_)->stamp(), 1U);
  EXPECT_EQ(lib_->last_failure()->at(), autoreload::stage::handover);
  guest.run([&] { (*lib_)->set_total(43); });
  EXPECT_EQ(guest.finish(), 1U);
  poll_until(kind::loaded);
  EXPECT_EQ((*lib_)->total(), 43U);
  EXPECT_EQ(told.constructors, 2) << "the new one stayed loaded meanwhile";
  EXPECT_FALSE(lib_->last_failure());
}

TEST_F(Handover, NamesTheFunctionThatStayed) {
  if (support::sanitized) GTEST_SKIP() << "a sanitizer's thread may wait by running";
  start(1, hurried());
  carry_by_hand();
  guest_inside guest(*lib_);
  build(2);
  const std::string text = expect(kind::waiting).text;
  EXPECT_NE(text.find("in handed_visit()"), std::string::npos) << text;
}

TEST_F(Handover, IsHeldUpByAPinAsByACall) {
  start(1, hurried());
  carry_by_hand();
  std::optional<autoreload::pin<handed_api>> pin;
  std::thread([&] { pin = lib_->pin(); }).join();
  const auto done = [&] {
    put_handed(path_, 2);
    return lib_->reload();
  }();
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().at(), autoreload::stage::handover);
  EXPECT_EQ((*lib_)->stamp(), 1U);
  pin.reset();
  poll_until(kind::loaded);
  EXPECT_EQ((*lib_)->stamp(), 2U);
}

TEST_F(Handover, ThatIsAskedForFromInsideTheLibraryIsHeldUpAtOnce) {
  start(1, unhurried());  // it would wait for itself
  carry_by_hand();
  guest_inside guest(*lib_);
  put_handed(path_, 2);
  std::string reason;
  guest.run([&] { reason = lib_->reload().error().reason(); });
  EXPECT_NE(reason.find("which reloads, holds a call or pin of generation 1 itself"), std::string::npos) << reason;
  guest.finish();
  poll_until(kind::loaded);
}

TEST_F(Handover, TakesTheNewestBuildWhenAnotherOneComesWhileItWaits) {
  start(1, hurried());
  carry_by_hand();
  (*lib_)->set_total(42);
  guest_inside guest(*lib_);
  build(2);
  expect(kind::waiting);
  build(3);
  guest.finish();
  poll_until(kind::loaded);
  EXPECT_EQ((*lib_)->stamp(), 3U);
  EXPECT_EQ((*lib_)->total(), 42U);
  EXPECT_TRUE(support::comes_true([&] {
    lib_->poll();
    return support::loaded_snapshots().size() == 1;
  })) << "the one in between is gone, and so is the first";
}

TEST_F(Handover, InTheBackgroundIsTheSame) {
  start(1, background());
  carry_by_hand();
  (*lib_)->set_total(42);
  put_handed(path_, 2);
  expect(kind::loaded);
  EXPECT_EQ((*lib_)->total(), 42U);
  lib_->on_handover([](const handed_api&, const handed_api&) { throw 7; });
  put_handed(path_, 3);
  EXPECT_EQ(expect(kind::refused).failure->system(), "it is no std::exception");
  expect_that_the_old_one_goes_on(2, 42);
}

TEST_F(Handover, GoesByWhatPauseSays) {
  start(1, unhurried());
  lib_->on_handover([&](const handed_api& from, const handed_api& to) {
    to.set_total(from.total());
    lib_->pause();
  });
  (*lib_)->set_total(42);
  build(2);
  EXPECT_EQ((*lib_)->stamp(), 1U) << "it was paused before the last step";
  EXPECT_EQ((*lib_)->total(), 42U);
  carry_by_hand();
  lib_->resume();
  poll_until(kind::loaded);
  EXPECT_EQ((*lib_)->total(), 42U);
}

// ---- the end of things

TEST_F(Handover, ThatDestroysItsOwnEngineIsNoCrash) {
  start(1, unhurried());
  lib_->on_handover([&](const handed_api& from, const handed_api& to) {
    lib_.reset();
    EXPECT_EQ(from.stamp(), 1U) << "both are loaded until it has ended";
    EXPECT_EQ(to.stamp(), 2U);
  });
  handed_library& lib = *lib_;
  put_handed(path_, 2);
  lib.poll();
  EXPECT_EQ(lib_, nullptr);
  support::handed_library other(path_, support::anywhere());  // retires what is left
  EXPECT_TRUE(support::comes_true([&] {
    (void)other.reload();
    return support::loaded_snapshots().size() <= 2;
  }));
}

TEST_F(Handover, ThatWaitsEndsWithItsEngine) {
  autoreload::options chosen = background();
  chosen.handover.limit = std::chrono::milliseconds(50);
  start(1, chosen);
  carry_by_hand();
  auto guest = std::make_unique<guest_inside>(*lib_);
  put_handed(path_, 2);
  EXPECT_TRUE(support::comes_true([&] { return is_closed(); }));
  std::thread owner([&] { lib_->pause(); });  // any request is answered meanwhile
  owner.join();
  EXPECT_EQ(guest->finish(), 1U);
  lib_.reset();
}

TEST_F(Handover, DoesNotHoldAForkedChildUp) {
  start(1, unhurried());
  (*lib_)->set_total(42);
  lib_->on_handover([&](const handed_api& from, const handed_api& to) {
    to.set_total(from.total());
    support::in_child([&] {
      EXPECT_EQ((*lib_)->stamp(), 1U);
      EXPECT_EQ((*lib_)->total(), 42U);
      if (!support::thread_sanitized) {
        std::thread([&] { EXPECT_EQ((*lib_)->total(), 42U); }).join();
      }
      EXPECT_FALSE(lib_->reload());
    });
  });
  build(2);
  EXPECT_EQ((*lib_)->stamp(), 2U);
  EXPECT_EQ((*lib_)->total(), 42U);
}

// ---- several

TEST_F(Handover, OfTwoLibrariesComesOneAfterTheOther) {
  start(1, background());
  const std::string second_path = directory_ / "libsecond.so";
  put_handed(second_path, 1);
  autoreload::event_queue events;
  autoreload::options chosen = support::anywhere();
  chosen.observer = events.observer();
  handed_library second(second_path, chosen);
  std::atomic<int> at_once{0}, most{0}, handovers{0};
  const auto by_hand = [&](handed_library& other) {
    return [&](const handed_api& from, const handed_api& to) {
      if (++at_once > most) most = at_once.load();
      (void)other->stamp();  // never waits for ever
      to.set_total(from.total());
      --at_once;
      ++handovers;
    };
  };
  lib_->on_handover(by_hand(second));
  second.on_handover(by_hand(*lib_));
  lib_->pause();
  second.pause();
  constexpr int rounds = 30;
  const auto reloading = [&](handed_library& lib) {
    for (int done = 0; done < rounds;) done += static_cast<bool>(lib.reload());
  };
  std::thread one([&] { reloading(*lib_); });
  std::thread other([&] { reloading(second); });
  one.join();
  other.join();
  EXPECT_EQ(handovers, 2 * rounds);
  EXPECT_EQ(most, 1);
}

TEST_F(Handover, InsideAnotherLibrarysHandoverIsPutOff) {
  start(1, unhurried());
  const std::string second_path = directory_ / "libsecond.so";
  put_handed(second_path, 1);
  handed_library second(second_path, hurried());
  second.on_handover([](const handed_api& from, const handed_api& to) { to.set_total(from.total()); });
  std::string reason;
  lib_->on_handover([&](const handed_api&, const handed_api&) {
    put_handed(second_path, 2);
    reason = second.reload().error().reason();
  });
  build(2);
  EXPECT_EQ(reason, "the reload was asked for inside another library's handover");
  EXPECT_EQ((*lib_)->stamp(), 2U);
  EXPECT_TRUE(second.reload());
}

// ---- the library's own functions

TEST_F(Handover, CallsTheLibrarysOwnFunctionsInTheirOrder) {
  start(1, unhurried(), libraries::handed_guest);
  EXPECT_EQ(told.take(), "loaded 1");
  (*lib_)->set_total(42);
  build(2, libraries::handed_guest);
  EXPECT_EQ((*lib_)->total(), 42U);
  poll_until(kind::unloaded);
  EXPECT_EQ(told.take(), "save 1, restore 2, loaded 2, unloading 1");
  build(3);  // has no restore
  EXPECT_EQ((*lib_)->total(), 0U);
  poll_until(kind::unloaded);
  EXPECT_EQ(told.take(), "unloading 2");
}

TEST_F(Handover, SavesNothingThatTheNewBuildCannotRestore) {
  start(1, unhurried(), libraries::handed_saves_only);
  guest_inside guest(*lib_);
  build(2, libraries::handed_saves_only);
  EXPECT_EQ((*lib_)->stamp(), 2U);
  EXPECT_EQ(told.take(), "");
}

TEST_F(Handover, GivesBackWhatWasSavedWhenTheNewBuildRefusesIt) {
  start(1, unhurried(), libraries::handed_guest);
  (*lib_)->set_total(42);
  told.answer_of_new = 3;
  (void)told.take();
  build(2, libraries::handed_guest);
  const auto refused = expect(kind::refused);
  EXPECT_EQ(refused.failure->reason(),
            "autoreload_restore of the new build returned 3: it takes no state of generation 1");
  EXPECT_EQ(told.take(), "save 1, restore 2, restore 1") << "what never ran is not told that it is unloaded";
  expect_that_the_old_one_goes_on(1, 42);
}

TEST_F(Handover, GivesBackWhatWasSavedWhenTheHostThrows) {
  start(1, unhurried(), libraries::handed_guest);
  (*lib_)->set_total(42);
  lib_->on_handover([](const handed_api&, const handed_api&) { throw std::runtime_error("no"); });
  (void)told.take();
  build(2, libraries::handed_guest);
  EXPECT_EQ(told.take(), "save 1, restore 1");
  expect_that_the_old_one_goes_on(1, 42);
}

TEST_F(Handover, SaysSoWhenTheOldGenerationDoesNotTakeItsStateBack) {
  start(2, unhurried(), libraries::handed_guest);
  told.answer_of_new = 5;
  build(3, libraries::handed_guest);
  EXPECT_EQ(expect(kind::refused).failure->system(),
            "when the handover failed, generation 1 did not take back what it had saved: it returned 5");
}

TEST_F(Handover, FindsTheLibrarysFunctionsByTheNamesThatTheHostChose) {
  autoreload::options chosen = unhurried();
  chosen.handover.functions = {"", "autoreload_restore", "handed_stamp", "no_such_function"};
  start(1, chosen, libraries::handed_guest);
  build(2, libraries::handed_guest);
  poll_until(kind::unloaded);
  EXPECT_EQ(told.take(), "") << "no save, so no restore; and the other names are not looked for";
}

// ---- a carrier

TEST_F(Handover, CarriesStateBeforeTheHostAddsWhatItWants) {
  const auto carrier = std::make_shared<support::number_carrier>();
  autoreload::options chosen = unhurried();
  chosen.state = carrier;
  start(1, chosen);
  EXPECT_FALSE(carrier->sides) << "there was nothing to carry from";
  (*lib_)->set_total(42);
  carrier->when_prepared = [&] { EXPECT_FALSE(is_closed()) << "calls go on while it is worked out"; };
  carrier->when_carried = [&] { EXPECT_TRUE(is_closed()); };
  carrier->report.remarks = {{autoreload::state_fate::reset, "world.speed", "its initialiser changed"}};
  lib_->on_handover([](const handed_api&, const handed_api& to) { to.set_total(to.total() + 1); });
  build(2);
  ASSERT_TRUE(carrier->sides);
  EXPECT_EQ(carrier->sides->path, path_);
  EXPECT_EQ(carrier->sides->from, 1U);
  EXPECT_EQ(carrier->sides->to, 2U);
  EXPECT_TRUE(carrier->both_are_files);
  EXPECT_EQ((*lib_)->total(), 43U);
  const autoreload::event loaded = expect(kind::loaded);
  ASSERT_NE(loaded.state, nullptr);
  EXPECT_EQ(loaded.state->kept, 1U);
  EXPECT_NE(to_string(loaded).find("kept 1 of 1 variables; `world.speed` reset: its initialiser changed"),
            std::string::npos)
      << to_string(loaded);
  ASSERT_TRUE(lib_->reload(start::fresh));
  EXPECT_EQ((*lib_)->total(), 0U);
  EXPECT_EQ(expect(kind::loaded).state, nullptr);
}

TEST_F(Handover, IsRefusedBeforeAnybodyWaitsWhenNothingCanBeCarried) {
  const auto carrier = std::make_shared<support::number_carrier>();
  autoreload::options chosen = unhurried();
  chosen.state = carrier;
  start(1, chosen);
  (*lib_)->set_total(42);
  carrier->refuses = true;
  build(2);
  EXPECT_EQ(expect(kind::refused).failure->path(), path_);
  expect_that_the_old_one_goes_on(1, 42);
}

TEST_F(Handover, ThatFailsAfterTheCarrierTakesBackWhatItDid) {
  const auto carrier = std::make_shared<support::number_carrier>();
  autoreload::options chosen = unhurried();
  chosen.state = carrier;
  start(1, chosen);
  bool refuses = true;
  lib_->on_handover([&](const handed_api&, const handed_api&) {
    if (refuses) throw std::runtime_error("not now");
  });
  put_handed(path_, 2);
  EXPECT_FALSE(lib_->reload());
  EXPECT_EQ(carrier->undone, 1);
  EXPECT_EQ(carrier->farewells, 0) << "the old generation goes on";
  refuses = false;
  ASSERT_TRUE(lib_->reload());
  EXPECT_EQ(carrier->undone, 1) << "nothing is taken back of what succeeded";
  lib_->poll();
  expect(kind::unloaded);
  EXPECT_EQ(carrier->farewells, 1);
  ASSERT_TRUE(lib_->reload(autoreload::start::fresh));
  lib_->poll();
  EXPECT_EQ(carrier->farewells, 1) << "nothing was carried";
}

TEST_F(Handover, IsRefusedWhenTheCarrierThrows) {
  const auto carrier = std::make_shared<support::number_carrier>();
  autoreload::options chosen = unhurried();
  chosen.state = carrier;
  start(1, chosen, libraries::handed_guest);
  (*lib_)->set_total(42);
  for (auto* const where : {&carrier->when_prepared, &carrier->when_carried}) {
    *where = [] { throw std::runtime_error("it is damaged"); };
    build(2, libraries::handed_guest);
    EXPECT_EQ(expect(kind::refused).failure->system(), "it is damaged");
    expect_that_the_old_one_goes_on(1, 42);
    *where = [] {};
    put_handed(path_, 3, libraries::handed_guest);
  }
  EXPECT_EQ(told.take(), "loaded 1, save 1, restore 1");
}

TEST_F(Handover, KeepsTheOldGenerationAsLongAsSomethingPointsIntoIt) {
  const auto carrier = std::make_shared<support::number_carrier>();
  autoreload::options chosen = unhurried();
  chosen.state = carrier;
  start(1, chosen);
  carrier->report.needs_old = true;
  carrier->report.remarks = {{autoreload::state_fate::dangling, "handler", "a function that the new build lacks"}};
  build(2);
  expect(kind::loaded);
  const std::string text = poll_until(kind::retained).text;
  EXPECT_NE(text.find("`handler` (a function that the new build lacks) still points into it"), std::string::npos)
      << text;
  carrier->report = {1, 1, {}, false};
  build(3);
  EXPECT_EQ(poll_until(kind::unloaded).generation, 2U);
}

TEST_F(Handover, PreparesOnceForABuildThatHasToWait) {
  const auto carrier = std::make_shared<support::number_carrier>();
  autoreload::options chosen = hurried();
  chosen.state = carrier;
  start(1, chosen);
  int prepared = 0;
  carrier->when_prepared = [&] { ++prepared; };
  {
    guest_inside guest(*lib_);
    build(2);
    expect(kind::waiting);
  }
  poll_until(kind::loaded);
  EXPECT_EQ(prepared, 1);
}

TEST_F(Handover, TellsTheGuardThatStateIsCarried) {
  struct asked : autoreload::abi_checker {
    std::vector<bool> answers;
    autoreload::guard_verdict check(const autoreload::guard_request& request) override {
      answers.push_back(request.carries_state);
      return {};
    }
  };
  const auto guard = std::make_shared<asked>();
  autoreload::options chosen = unhurried();
  chosen.state = std::make_shared<support::number_carrier>();
  chosen.guard = guard;
  start(1, chosen);
  build(2);
  ASSERT_TRUE(lib_->reload(start::fresh));
  EXPECT_EQ(guard->answers, (std::vector<bool>{false, true, false}));
}

TEST_F(Handover, RefusesImpossibleLimits) {
  for (const int limit : {0, -1, 60'001}) {
    autoreload::options chosen = unhurried();
    chosen.handover.limit = std::chrono::milliseconds(limit);
    EXPECT_THROW(handed_library(path_, chosen), autoreload::error) << limit;
  }
}

}  // namespace
