// SPDX-License-Identifier: MIT
// reloadable_test: what a host sees of a library that is replaced under its calls, on every backend.
#include <dlfcn.h>
#include <fcntl.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <stdexcept>

#include "engine_support.hpp"
#include "hook.hpp"
#include "reload/words/timed_stages.hpp"

using namespace std::chrono_literals;
using autoreload::error;
using autoreload::event;
using autoreload::event_kind;
using autoreload::stage;
using support::hook;
using support::library;
using support::put;
using support::stamped;
using support::worker_api;

namespace {

class Reloadable : public support::EngineTest {};

// ---- loading

TEST_F(Reloadable, LoadsWhatIsThereBeforeTheConstructorReturns) {
  put(path_, 1);
  const library lib(path_, background());
  EXPECT_TRUE(lib.loaded());
  EXPECT_EQ(lib.generation(), 1U);
  EXPECT_EQ(lib->stamp(), 1U);
  EXPECT_EQ(lib.path(), path_);
  EXPECT_EQ(lib.last_failure(), std::nullopt);

  const event first = expect(event_kind::loaded);
  EXPECT_EQ(first.generation, 1U);
  EXPECT_EQ(first.path, path_);
  EXPECT_EQ(first.failure, std::nullopt);
}

TEST_F(Reloadable, SaysHowLongEachStageTook) {
  put(path_, 1);
  const library lib(path_, background());
  const autoreload::timings took = expect(event_kind::loaded).times;
  EXPECT_GT(took.snapshot, 0ns);
  EXPECT_GT(took.inspect, 0ns);
  EXPECT_GT(took.load, 0ns);
  EXPECT_GT(took.publish, 0ns);
  EXPECT_EQ(took.guard, 0ns) << "there is no guard";
  EXPECT_EQ(took.trial, 0ns) << "there is no trial";
  autoreload::timings::duration sum{};
  for (const autoreload::timed_stage& one : autoreload::timed_stages) sum += took.*one.time;
  EXPECT_EQ(took.total, sum);
}

TEST_F(Reloadable, WaitsForALibraryThatIsNotBuiltYet) {
  const library lib(path_, background());
  EXPECT_FALSE(lib.loaded());
  EXPECT_EQ(lib.generation(), 0U);
  EXPECT_EQ(expect(event_kind::waiting).failure->at(), stage::snapshot);
  ASSERT_TRUE(lib.last_failure());
  EXPECT_EQ(lib.last_failure()->path(), path_);
  try {
    (void)lib->stamp();
    FAIL() << "a call into nothing returned";
  } catch (const error& thrown) {
    EXPECT_NE(std::string(thrown.what()).find("worker_stamp"), std::string::npos) << thrown.what();
  }
  EXPECT_THROW((void)lib.call<&worker_api::stamp>(), error);
  EXPECT_EQ(lib.try_call<&worker_api::extra>(), std::nullopt);
  EXPECT_EQ(lib.generation(lib.pin()), 0U);

  put(path_, 1);
  EXPECT_EQ(expect(event_kind::loaded).generation, 1U);
  EXPECT_EQ(lib->stamp(), 1U);
  EXPECT_EQ(lib.last_failure(), std::nullopt);
}

TEST_F(Reloadable, TakesEachNewBuildAndUnloadsTheOldOne) {
  put(path_, 1);
  const std::size_t before = support::loaded_snapshots().size();
  const library lib(path_, background());
  EXPECT_EQ(expect(event_kind::loaded).generation, 1U);
  for (std::uint64_t build = 2; build <= 5; ++build) {
    put(path_, build);
    EXPECT_EQ(expect(event_kind::loaded).generation, build);
    EXPECT_EQ(lib->stamp(), build);
    EXPECT_EQ(expect(event_kind::unloaded).generation, build - 1);
  }
  EXPECT_EQ(support::loaded_snapshots().size(), before + 1);
}

TEST_F(Reloadable, StartsTheLibrarysStaticsAnew) {
  put(path_, 1);
  library lib(path_, manual());
  EXPECT_EQ(lib->count(), 1U);
  EXPECT_EQ(lib->count(), 2U);
  put(path_, 2);
  lib.poll();
  EXPECT_EQ(lib->count(), 1U);
}

TEST_F(Reloadable, DoesNothingWhenTheContentIsTheSame) {
  const std::string build = stamped(libraries::plain, 1);
  put(path_, build);
  library lib(path_, manual());
  EXPECT_EQ(kinds(), "loaded");
  EXPECT_EQ(lib->count(), 1U);

  put(path_, build);  // another inode
  lib.poll();
  support::write_file(path_, build);  // in place
  lib.poll();
  std::filesystem::last_write_time(path_, std::filesystem::file_time_type::clock::now() + 1h);
  lib.poll();
  std::filesystem::permissions(path_, std::filesystem::perms::owner_read);
  lib.poll();
  EXPECT_EQ(kinds(), "");
  EXPECT_EQ(lib.generation(), 1U);
  EXPECT_EQ(lib->count(), 2U) << "it was loaded anew";
}

// ---- what is refused

TEST_F(Reloadable, KeepsTheRunningGenerationWhenARequiredSymbolIsMissing) {
  put(path_, 1);
  library lib(path_, manual());
  put(path_, stamped(libraries::without_stamp, 2));
  lib.poll();
  EXPECT_EQ(lib->stamp(), 1U);
  EXPECT_EQ(lib.generation(), 1U);
  const event refusal = expect(event_kind::refused);
  ASSERT_TRUE(refusal.failure);
  EXPECT_EQ(refusal.failure->at(), stage::load);
  EXPECT_EQ(refusal.failure->path(), path_);
  ASSERT_EQ(refusal.failure->missing().size(), 1U);
  EXPECT_EQ(refusal.failure->missing().front().name, "worker_stamp");
  ASSERT_TRUE(lib.last_failure());
  EXPECT_STREQ(lib.last_failure()->what(), refusal.failure->what());

  put(path_, 3);
  lib.poll();
  EXPECT_EQ(lib->stamp(), 3U);
  EXPECT_EQ(lib.generation(), 2U) << "a refused build has no number";
  EXPECT_EQ(lib.last_failure(), std::nullopt);
}

TEST_F(Reloadable, RefusesABuildOnce) {
  put(path_, stamped(libraries::without_stamp, 1));
  library lib(path_, manual());
  EXPECT_EQ(kinds(), "refused");
  for (const int mode : {0600, 0640, 0755}) {
    std::filesystem::permissions(path_, std::filesystem::perms(mode));
    lib.poll();
  }
  EXPECT_EQ(kinds(), "") << "nothing but the mode changed";
  put(path_, stamped(libraries::without_stamp, 2));
  lib.poll();
  EXPECT_EQ(kinds(), "refused") << "another build";
}

TEST_F(Reloadable, KeepsTheRunningGenerationWhenTheFileIsNoLibrary) {
  const std::string good = stamped(libraries::plain, 2);
  put(path_, 1);
  library lib(path_, manual());
  const std::array<std::string, 5> bad{"", "int foo(void) { return 4; }\n", good.substr(0, 100),
                                       good.substr(0, good.size() / 2), std::string(good.size(), '\0')};
  for (const std::string& content : bad) {
    put(path_, content);
    lib.poll();
    EXPECT_EQ(lib->stamp(), 1U);
    ASSERT_TRUE(lib.last_failure()) << content.size() << " bytes";
    EXPECT_EQ(lib.last_failure()->at(), stage::inspect);
    EXPECT_EQ(lib.last_failure()->path(), path_);
  }
  put(path_, good);
  lib.poll();
  EXPECT_EQ(lib->stamp(), 2U);
  EXPECT_EQ(lib.last_failure(), std::nullopt);
}

TEST_F(Reloadable, KeepsTheRunningGenerationWhileTheFileIsAway) {
  put(path_, 1);
  library lib(path_, manual());
  std::filesystem::rename(path_, path_ + ".away");
  lib.poll();
  EXPECT_EQ(lib->stamp(), 1U);
  ASSERT_TRUE(lib.last_failure());
  EXPECT_EQ(lib.last_failure()->at(), stage::snapshot);
  std::filesystem::rename(path_ + ".away", path_);
  lib.poll();
  EXPECT_EQ(lib.last_failure(), std::nullopt);
  EXPECT_EQ(lib.generation(), 1U);
  EXPECT_EQ(kinds(), "loaded");
}

TEST_F(Reloadable, ARefusedFileThatWentAndCameBackIsStillTheReason) {
  put(path_, stamped(libraries::without_stamp, 1));
  library lib(path_, manual());
  ASSERT_TRUE(lib.last_failure());
  std::filesystem::rename(path_, path_ + ".away");
  lib.poll();
  ASSERT_TRUE(lib.last_failure());
  EXPECT_EQ(lib.last_failure()->at(), stage::snapshot);
  std::filesystem::rename(path_ + ".away", path_);
  lib.poll();
  ASSERT_TRUE(lib.last_failure());
  EXPECT_EQ(lib.last_failure()->at(), stage::load) << lib.last_failure()->what();
}

// A build that was refused after it was opened, and that can't be closed: its name must not be the next one's.
TEST_F(Reloadable, ARefusedBuildThatCannotLeaveIsNotTakenForTheNext) {
  put(path_, stamped(libraries::no_delete_without_stamp, 1));
  library lib(path_, manual());
  EXPECT_FALSE(lib.loaded());
  for (std::uint64_t build = 2; build < 6; ++build) {
    put(path_, build);
    lib.poll();
    ASSERT_TRUE(lib.loaded()) << lib.last_failure()->what();
    EXPECT_EQ(lib->stamp(), build);
  }
}

TEST_F(Reloadable, AWriterThatIsNotDoneIsWaitedFor) {
  put(path_, 1);
  library lib(path_, background());
  const std::string build = stamped(libraries::plain, 2);
  {
    std::ofstream writer(path_, std::ios::binary | std::ios::trunc);
    writer.write(build.data(), 1000).flush();
    const auto refused = lib.reload();
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().at(), stage::snapshot) << refused.error().what();
    EXPECT_EQ(lib->stamp(), 1U);
    writer.write(build.data() + 1000, static_cast<std::streamsize>(build.size() - 1000));
  }
  expect(event_kind::loaded);
  EXPECT_EQ(expect(event_kind::loaded).generation, 2U);
  EXPECT_EQ(lib->stamp(), 2U);
}

TEST_F(Reloadable, AWriterThatIsNotDoneIsNamedAndNotAnOlderFailure) {
  put(path_, stamped(libraries::without_stamp, 1));
  library lib(path_, manual());
  EXPECT_EQ(lib.last_failure()->at(), stage::load);
  const std::ofstream writer(path_, std::ios::binary | std::ios::app);
  const auto refused = lib.reload();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().at(), stage::snapshot) << refused.error().what();
}

// A descriptor that somebody forgot to close must not keep a complete library out for ever.
TEST_F(Reloadable, AFileThatStaysOpenForWritingIsTakenWhenItNoLongerChanges) {
  put(path_, 1);
  const library lib(path_, background());
  support::write_file(path_ + ".new", stamped(libraries::plain, 2));
  const std::ofstream forgotten(path_ + ".new", std::ios::binary | std::ios::app);
  std::filesystem::rename(path_ + ".new", path_);
  expect(event_kind::loaded);
  expect(event_kind::loaded);
  EXPECT_EQ(lib->stamp(), 2U);
}

TEST_F(Reloadable, ARefusalSaysWhichBuildAndComingBackIsTold) {
  put(path_, 1);
  const library lib(path_, background());
  EXPECT_EQ(expect(event_kind::loaded).attempt, 1U);
  put(path_, "no library");
  const event refused = expect(event_kind::refused);
  EXPECT_EQ(refused.attempt, 2U);
  EXPECT_EQ(refused.generation, 1U) << "which goes on";
  put(path_, 1);
  const event back = expect(event_kind::current);
  EXPECT_EQ(back.generation, 1U);
  EXPECT_EQ(lib.last_failure(), std::nullopt);
  std::filesystem::remove(path_);
  expect(event_kind::waiting);
  put(path_, 1);
  EXPECT_EQ(expect(event_kind::current).generation, 1U);
  put(path_, 2);
  EXPECT_EQ(expect(event_kind::loaded).attempt, 3U);
}

// ---- on request

TEST_F(Reloadable, ReloadsOnRequestAlsoWhatIsTheSame) {
  put(path_, 1);
  library lib(path_, background());
  EXPECT_EQ(lib->count(), 1U);
  const autoreload::result<void> done = lib.reload();
  ASSERT_TRUE(done) << done.error().what();
  EXPECT_EQ(lib.generation(), 2U);
  EXPECT_EQ(lib->count(), 1U);
  EXPECT_EQ(expect(event_kind::unloaded).generation, 1U);
}

TEST_F(Reloadable, SaysOnRequestWhyNot) {
  library lib(path_, manual());
  auto refused = lib.reload();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().at(), stage::snapshot);

  put(path_, stamped(libraries::without_stamp, 1));
  refused = lib.reload();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().at(), stage::load);
  EXPECT_EQ(refused.error().missing().size(), 1U);

  put(path_, "no library");
  refused = lib.reload();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().at(), stage::inspect);

  put(path_, 1);
  EXPECT_TRUE(lib.reload());
  EXPECT_EQ(lib->stamp(), 1U);
}

TEST_F(Reloadable, TakesRequestsFromManyThreadsAtOnce) {
  put(path_, 1);
  library lib(path_, background());
  std::atomic<int> failed{0};
  {
    std::vector<std::jthread> askers;
    for (int i = 0; i < 4; ++i) {
      askers.emplace_back([&] {
        for (int round = 0; round < 5; ++round) failed += !lib.reload();
      });
    }
  }
  EXPECT_EQ(failed, 0);
  EXPECT_EQ(lib.generation(), 21U);
  for (std::uint64_t generation = 1; generation <= 20; ++generation) {
    EXPECT_EQ(expect(event_kind::unloaded).generation, generation);
  }
}

TEST_F(Reloadable, LeavesThingsAloneWhilePaused) {
  put(path_, 1);
  library lib(path_, manual());
  lib.pause();
  put(path_, 2);
  lib.poll();
  EXPECT_EQ(lib->stamp(), 1U);
  lib.resume();
  lib.poll();
  EXPECT_EQ(lib->stamp(), 2U);
  lib.pause();
  put(path_, 3);
  EXPECT_TRUE(lib.reload()) << "on request also while paused";
  EXPECT_EQ(lib->stamp(), 3U);
}

TEST_F(Reloadable, PublishesNothingOncePauseHasReturnedThoughALoadIsUnderWay) {
  put(path_, 1);
  library lib(path_, background());
  std::promise<void> entered;
  std::promise<void> leave;
  std::promise<void> gone;
  bool first = true;
  const hook slow([&](std::string_view where) {
    if (where == "constructor" && first) {
      entered.set_value();
      leave.get_future().wait();
    }
    if (where == "destructor" && std::exchange(first, false)) gone.set_value();
  });
  put(path_, 2);
  entered.get_future().wait();
  lib.pause();
  leave.set_value();
  gone.get_future().wait();
  EXPECT_EQ(lib.generation(), 1U);
  EXPECT_EQ(lib->stamp(), 1U);
  lib.resume();
  expect(event_kind::loaded);
  EXPECT_EQ(expect(event_kind::loaded).generation, 2U);
  EXPECT_EQ(lib->stamp(), 2U);
  EXPECT_EQ(expect(event_kind::unloaded).generation, 1U);  // its destructor calls the hook
}

TEST_F(Reloadable, ResumesInTheBackgroundToo) {
  put(path_, 1);
  library lib(path_, background());
  lib.pause();
  put(path_, 2);
  put(directory_ / "another.so", 1);
  const library other(directory_ / "another.so", background());  // has been looked at, so the first one has, too
  EXPECT_EQ(lib->stamp(), 1U);
  lib.resume();
  expect(event_kind::loaded);
  expect(event_kind::loaded);
  expect(event_kind::loaded);
  EXPECT_EQ(lib->stamp(), 2U);
}

// Half a second after a library went away that is reported, and looked at once more for it: not a way around a pause.
TEST_F(Reloadable, StaysPausedWhenAMissingLibraryComesBack) {
  library lib(path_, manual());
  lib.pause();
  put(path_, 1);
  std::this_thread::sleep_for(600ms);  // there is no event for what must not happen
  lib.poll();
  EXPECT_FALSE(lib.loaded());
  lib.resume();
  lib.poll();
  EXPECT_TRUE(lib.loaded());
}

// ---- calls

TEST_F(Reloadable, AsksForAnOptionalFunctionOnOnePin) {
  put(path_, 1);
  library lib(path_, manual());
  const auto without = lib.pin();
  EXPECT_FALSE(without->extra);
  put(path_, stamped(libraries::extra, 2));
  lib.poll();
  EXPECT_FALSE(without->extra) << "a pin changed its generation";
  const auto with = lib.pin();
  ASSERT_TRUE(with->extra);
  EXPECT_EQ(with->extra(), 2U);
  EXPECT_EQ(lib.generation(without), 1U);
  EXPECT_EQ(lib.generation(with), 2U);
  put(path_, 3);
  lib.poll();
  EXPECT_EQ(with->extra(), 2U);
  EXPECT_EQ(without->stamp(), 1U);
  EXPECT_EQ(lib->stamp(), 3U);
}

TEST_F(Reloadable, NeverCallsAnOptionalFunctionThatHasJustGone) {
  put(path_, 1);
  library lib(path_, background());
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> wrong{0};
  std::jthread caller([&] {
    while (!stop) {
      if (const std::optional<std::uint64_t> value = lib.try_call<&worker_api::extra>()) wrong += *value % 2;
      const auto pin = lib.pin();
      wrong += (pin->stamp() % 2 == 0) != static_cast<bool>(pin->extra);
      if (pin->extra) wrong += pin->extra() != pin->stamp();
    }
  });
  for (std::uint64_t build = 2; build < 40; ++build) {
    put(path_, stamped(build % 2 == 0 ? libraries::extra : libraries::plain, build));
    ASSERT_TRUE(lib.reload());
  }
  stop = true;
  caller.join();
  EXPECT_EQ(wrong, 0U);
}

TEST_F(Reloadable, ThrowsWhenAReloadTakesAnOptionalFunctionAwayBetweenTestAndCall) {
  put(path_, stamped(libraries::extra, 1));
  library lib(path_, manual());
  ASSERT_TRUE(lib->extra);  // a pin of its own, gone at the end of the line
  put(path_, 2);
  lib.poll();
  EXPECT_THROW((void)lib->extra(), autoreload::error);
  EXPECT_THROW((void)lib.call<&worker_api::extra>(), autoreload::error);
  EXPECT_EQ(lib.try_call<&worker_api::extra>(), std::nullopt);
  put(path_, stamped(libraries::extra, 3));
  lib.poll();
  EXPECT_EQ(lib->extra(), 3U);
  EXPECT_EQ(kinds(), "loaded loaded unloaded loaded unloaded") << "no call left its pin";
}

TEST_F(Reloadable, CallsByNameOfTheMember) {
  put(path_, stamped(libraries::extra, 7));
  const library lib(path_, manual());
  EXPECT_EQ(lib.call<&worker_api::stamp>(), 7U);
  EXPECT_EQ(lib.try_call<&worker_api::extra>(), 7U);
  bool called = false;
  EXPECT_EQ(
      lib.call<&worker_api::visit>([](void* flag) { *static_cast<bool*>(flag) = true; }, static_cast<void*>(&called)),
      7U);
  EXPECT_TRUE(called);
  EXPECT_FALSE(lib.try_call<&worker_api::touch_thread>()) << "a void function that is not there";
}

TEST_F(Reloadable, ACallThatIsInsideFinishesInItsOwnGeneration) {
  put(path_, 1);
  library lib(path_, background());
  lib.pause();  // only on request
  support::caller_inside first(lib);
  put(path_, 2);
  ASSERT_TRUE(lib.reload());
  support::caller_inside second(lib);
  put(path_, 3);
  ASSERT_TRUE(lib.reload());
  EXPECT_EQ(lib->stamp(), 3U);
  EXPECT_EQ(second.finish(), 2U);
  EXPECT_EQ(expect(event_kind::unloaded).generation, 2U);
  EXPECT_EQ(first.finish(), 1U);
  EXPECT_EQ(expect(event_kind::unloaded).generation, 1U);
}

// Library, host callback, library again, each time with a reload in between.
struct descent {
  library& lib;
  const std::string& path;
  std::uint64_t depth;
  std::vector<std::uint64_t> returned;

  static void down(void* self) {
    auto& here = *static_cast<descent*>(self);
    if (here.depth == 20) return;
    put(here.path, ++here.depth);
    if (!here.lib.reload()) throw std::runtime_error("reload");
    here.returned.push_back(here.lib->visit(&down, self));
  }
};

TEST_F(Reloadable, ReloadsUnderCallsThatAreNestedDeeply) {
  put(path_, 1);
  library lib(path_, background());
  lib.pause();
  descent dive{lib, path_, 1, {}};
  EXPECT_EQ(lib->visit(&descent::down, &dive), 1U);
  ASSERT_EQ(dive.returned.size(), 19U);
  for (std::uint64_t i = 0; i < 19; ++i) EXPECT_EQ(dive.returned[i], 20 - i) << "the innermost returned first";
  std::set<std::uint64_t> unloaded;
  while (unloaded.size() < 19) {
    const event gone = expect(event_kind::unloaded);
    ASSERT_NE(gone.generation, 0U);
    unloaded.insert(gone.generation);
  }
  EXPECT_EQ(*unloaded.rbegin(), 19U);
}

TEST_F(Reloadable, AnExceptionOfAHostCallbackReleasesTheGeneration) {
  put(path_, 1);
  library lib(path_, background());
  const auto thrower = [](void*) { throw std::runtime_error("from the host"); };
  EXPECT_THROW((void)lib->visit(thrower, nullptr), std::runtime_error);
  EXPECT_THROW((void)lib.call<&worker_api::visit>(thrower, nullptr), std::runtime_error);
  EXPECT_THROW((void)lib.try_call<&worker_api::visit>(thrower, nullptr), std::runtime_error);
  EXPECT_THROW(
      {
        const auto pin = lib.pin();
        (void)pin->visit(thrower, nullptr);
      },
      std::runtime_error);
  put(path_, 2);
  EXPECT_EQ(expect(event_kind::unloaded).generation, 1U);
}

// ---- several libraries

TEST_F(Reloadable, ACallThatNeverReturnsHoldsUpOnlyItsOwnGeneration) {
  const std::string stuck_path = directory_ / "stuck.so";
  put(path_, 1);
  put(stuck_path, 1);
  autoreload::event_queue stuck_events;
  autoreload::options stuck_options = support::anywhere();
  stuck_options.observer = stuck_events.observer();
  library lib(path_, background());
  library stuck(stuck_path, stuck_options);
  support::caller_inside call(stuck);
  for (std::uint64_t build = 2; build <= 5; ++build) {
    put(path_, build);
    EXPECT_EQ(expect(event_kind::unloaded).generation, build - 1) << "of another library";
    put(stuck_path, build);
    if (build == 2) continue;
    const auto gone = stuck_events.next(event_kind::unloaded, support::patience);
    ASSERT_TRUE(gone);
    EXPECT_EQ(gone->generation, build - 1) << "of the same library";
  }
  const auto kept = stuck_events.next(event_kind::retained, support::patience);
  ASSERT_TRUE(kept);
  EXPECT_EQ(kept->generation, 1U);
  EXPECT_NE(kept->text.find("still inside"), std::string::npos) << kept->text;
  EXPECT_EQ(call.finish(), 1U);
  const auto gone = stuck_events.next(event_kind::unloaded, support::patience);
  ASSERT_TRUE(gone);
  EXPECT_EQ(gone->generation, 1U);
}

TEST_F(Reloadable, TwoOfTheSamePathAreIndependent) {
  put(path_, 1);
  library one(path_, manual());
  library two(path_, manual());
  EXPECT_EQ(one->count(), 1U);
  EXPECT_EQ(two->count(), 1U) << "they share their statics";
  put(path_, 2);
  one.poll();
  EXPECT_EQ(one->stamp(), 2U);
  EXPECT_EQ(two->stamp(), 1U);
  two.poll();
  EXPECT_EQ(two->stamp(), 2U);
}

// ---- events

TEST_F(Reloadable, EventsComeInOrder) {
  put(path_, 1);
  library lib(path_, background());
  lib.pause();
  for (std::uint64_t build = 2; build <= 10; ++build) {
    put(path_, build);
    ASSERT_TRUE(lib.reload());
  }
  std::uint64_t loaded = 0;
  std::uint64_t unloaded = 0;
  while (unloaded < 9) {
    const auto next = events_.next(support::patience);
    ASSERT_TRUE(next);
    if (next->kind == event_kind::loaded) {
      EXPECT_EQ(next->generation, ++loaded);
    } else {
      EXPECT_EQ(next->kind, event_kind::unloaded);
      EXPECT_EQ(next->generation, ++unloaded);
      EXPECT_LT(unloaded, loaded) << "load before unload";
    }
  }
  EXPECT_EQ(loaded, 10U);
}

TEST_F(Reloadable, ALibraryThatStaysAwayIsReportedOnce) {
  put(path_, 1);
  const library lib(path_, background());
  std::filesystem::remove(path_);
  EXPECT_EQ(expect(event_kind::waiting).failure->at(), stage::snapshot);
  support::write_file(directory_ / "something else", "");
  put(path_, 2);
  EXPECT_EQ(expect(event_kind::unloaded).generation, 1U);
  EXPECT_EQ(kinds(), "");
}

TEST_F(Reloadable, AnObserverMayReload) {
  put(path_, 1);
  std::atomic<library*> target{nullptr};
  autoreload::options chosen = support::anywhere();
  chosen.observer = [&, record = events_.observer()](const event& happened) {
    record(happened);
    if (happened.kind == event_kind::loaded && happened.generation == 2) {
      EXPECT_TRUE(target.load()->reload());
      EXPECT_EQ(target.load()->generation(), 3U);
    }
  };
  library lib(path_, chosen);
  target = &lib;
  put(path_, 2);
  EXPECT_EQ(expect(event_kind::unloaded).generation, 1U);
  EXPECT_EQ(expect(event_kind::unloaded).generation, 2U);
  EXPECT_EQ(lib.generation(), 3U);
}

TEST_F(Reloadable, AnObserverMayPauseAndResume) {
  put(path_, 1);
  library* target = nullptr;
  autoreload::options chosen = manual();
  chosen.observer = [&, record = events_.observer()](const event& happened) {
    record(happened);
    if (target == nullptr || happened.kind != event_kind::loaded) return;
    target->pause();
    if (happened.generation == 3) target->resume();
  };
  library lib(path_, chosen);
  target = &lib;
  put(path_, 2);
  lib.poll();
  put(path_, 3);
  lib.poll();
  EXPECT_EQ(lib->stamp(), 2U) << "paused by the observer";
  lib.resume();
  lib.poll();
  EXPECT_EQ(lib->stamp(), 3U);
  put(path_, 4);
  lib.poll();
  EXPECT_EQ(lib->stamp(), 4U);
}

TEST_F(Reloadable, AnObserverMayDestroyItInTheBackground) {
  put(path_, 1);
  const std::size_t before = support::loaded_snapshots().size();
  std::promise<void> destroyed;
  std::unique_ptr<library> lib;
  autoreload::options chosen = support::anywhere();
  chosen.observer = [&](const event& happened) {
    if (happened.kind != event_kind::loaded || happened.generation != 2) return;
    lib.reset();
    destroyed.set_value();
  };
  lib = std::make_unique<library>(path_, chosen);
  put(path_, 2);
  ASSERT_EQ(destroyed.get_future().wait_for(support::patience), std::future_status::ready);
  EXPECT_EQ(support::loaded_snapshots().size(), before);
}

TEST_F(Reloadable, AnObserverMayDestroyItInsidePoll) {
  put(path_, 1);
  std::unique_ptr<library> lib;
  autoreload::options chosen = manual();
  chosen.observer = [&](const event& happened) {
    if (happened.generation == 2) lib.reset();
  };
  lib = std::make_unique<library>(path_, chosen);
  put(path_, 2);
  lib->poll();
  EXPECT_EQ(lib, nullptr);
}

TEST_F(Reloadable, AnObserverMayDestroyItInsideReload) {
  for (const bool in_background : {false, true}) {
    put(path_, 1);
    std::unique_ptr<library> lib;
    autoreload::options chosen = in_background ? background() : manual();
    chosen.observer = [&](const event& happened) {
      if (happened.generation == 2) lib.reset();
    };
    lib = std::make_unique<library>(path_, chosen);
    lib->pause();
    put(path_, 2);
    EXPECT_TRUE(lib->reload());
    EXPECT_EQ(lib, nullptr);
  }
}

TEST_F(Reloadable, WhatAnObserverThrowsReachesThePollerAndLosesNoEvent) {
  put(path_, 1);
  bool throws = false;
  autoreload::options chosen = manual();
  chosen.observer = [&, record = events_.observer()](const event& happened) {
    record(happened);
    if (std::exchange(throws, false)) throw std::runtime_error("from the observer");
  };
  library lib(path_, chosen);
  put(path_, 2);
  throws = true;
  EXPECT_THROW(lib.poll(), std::runtime_error);
  EXPECT_EQ(lib->stamp(), 2U);
  put(path_, 3);
  throws = true;
  EXPECT_THROW((void)lib.reload(), std::runtime_error);
  EXPECT_EQ(lib->stamp(), 3U);
  lib.poll();
  EXPECT_EQ(kinds(), "loaded loaded loaded unloaded unloaded");
}

TEST_F(Reloadable, WhatAnObserverThrowsInTheBackgroundDoesNotStopTheEngine) {
  put(path_, 1);
  std::atomic<bool> throws{false};
  autoreload::options chosen = support::anywhere();
  chosen.observer = [&, record = events_.observer()](const event& happened) {
    record(happened);
    if (throws) throw std::runtime_error("from the observer");
  };
  const library lib(path_, chosen);
  throws = true;
  for (std::uint64_t build = 2; build <= 4; ++build) {
    put(path_, build);
    EXPECT_EQ(expect(event_kind::unloaded).generation, build - 1);
    EXPECT_EQ(lib->stamp(), build);
  }
}

TEST_F(Reloadable, WhatAnObserverThrowsOutOfAReloadLeavesTheRestToTheThread) {
  put(path_, 1);
  std::atomic<bool> throws{false};
  autoreload::options chosen = support::anywhere();
  chosen.observer = [&, record = events_.observer()](const event& happened) {
    record(happened);
    if (throws.exchange(false)) throw std::runtime_error("from the observer");
  };
  library lib(path_, chosen);
  for (std::uint64_t build = 2; build <= 6; ++build) {
    throws = true;
    try {
      (void)lib.reload();
    } catch (const std::runtime_error&) {  // unless the thread delivered the event
    }
    EXPECT_EQ(expect(event_kind::unloaded).generation, build - 1);
  }
}

TEST_F(Reloadable, AReloadOfAFileThatIsGoneDoesNotSpeakOfAWriterThatWas) {
  put(path_, 1);
  library lib(path_, manual());
  {
    const std::ofstream writer(path_, std::ios::binary | std::ios::in | std::ios::out);
    ASSERT_TRUE(writer);
    EXPECT_NE(std::string(lib.reload().error().what()).find("somebody is writing"), std::string::npos);
    std::filesystem::remove(path_);
    const std::string said = lib.reload().error().what();
    EXPECT_NE(said.find("no such file"), std::string::npos) << said;
  }
}

TEST_F(Reloadable, AnObserverThatThrowsInTheConstructorUndoesIt) {
  put(path_, 1);
  const std::size_t before = support::loaded_snapshots().size();
  for (const bool in_background : {false, true}) {
    autoreload::options chosen = in_background ? background() : manual();
    chosen.observer = [](const event&) { throw std::runtime_error("from the observer"); };
    EXPECT_THROW(library(path_, chosen), std::runtime_error);
  }
  EXPECT_EQ(support::loaded_snapshots().size(), before);
}

TEST_F(Reloadable, DestructionWaitsForAnObserverThatRuns) {
  put(path_, 1);
  std::promise<void> entered;
  std::promise<void> leave;
  std::atomic<bool> finished{false};
  autoreload::options chosen = support::anywhere();
  chosen.observer = [&](const event& happened) {
    if (happened.kind != event_kind::loaded || happened.generation != 2) return;
    entered.set_value();
    leave.get_future().wait();
    finished = true;
  };
  auto lib = std::make_unique<library>(path_, chosen);
  put(path_, 2);
  entered.get_future().wait();
  std::jthread destroyer([&] {
    lib.reset();
    EXPECT_TRUE(finished);
  });
  leave.set_value();
  destroyer.join();
}

// ---- from inside the library's own loading

TEST_F(Reloadable, AConstructorOfTheLibraryMayCallItsReloadable) {
  put(path_, 1);
  library lib(path_, background());
  lib.pause();
  int constructed = 0;
  int destructed = 0;
  const hook calls_back([&](std::string_view where) {
    ++(where == "constructor" ? constructed : destructed);
    EXPECT_EQ(lib->stamp(), where == "constructor" ? 1U : 2U) << "from the " << where;
    const auto refused = lib.reload();
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().at(), stage::use);
    lib.resume();
    lib.pause();
    EXPECT_EQ(lib.last_failure(), std::nullopt);
  });
  put(path_, 2);
  const auto done = lib.reload();
  ASSERT_TRUE(done) << done.error().what();
  EXPECT_EQ(lib->stamp(), 2U);
  EXPECT_EQ(expect(event_kind::unloaded).generation, 1U);
  EXPECT_EQ(constructed, 1);
  EXPECT_EQ(destructed, 1);
}

TEST_F(Reloadable, AConstructorOfTheLibraryMayReloadAnother) {
  const std::string other_path = directory_ / "other.so";
  put(path_, 1);
  put(other_path, 1);
  library lib(path_, background());
  library other(other_path, support::anywhere());
  lib.pause();
  other.pause();
  bool done = false;
  const hook reloads([&](std::string_view where) {
    if (where != "constructor" || std::exchange(done, true)) return;
    put(other_path, 2);
    EXPECT_TRUE(other.reload());
  });
  put(path_, 2);
  EXPECT_TRUE(lib.reload());
  EXPECT_TRUE(done);
  EXPECT_EQ(lib->stamp(), 2U);
  EXPECT_EQ(other->stamp(), 2U);
}

// While it runs, the loader's own lock is held; the other library's reload may be waiting for just that.
TEST_F(Reloadable, AConstructorThatAsksForALibraryThatIsBeingLoadedDoesNotHang) {
  struct slow_guard : autoreload::abi_checker {
    bool slow = false;
    std::promise<void> asked;
    std::promise<void> answer;
    autoreload::guard_verdict check(const autoreload::guard_request&) override {
      if (std::exchange(slow, false)) {
        asked.set_value();
        answer.get_future().wait();
      }
      return {};
    }
  };
  const std::string other_path = directory_ / "other.so";
  put(path_, 1);
  put(other_path, 1);
  const auto guard = std::make_shared<slow_guard>();
  library lib(path_, background());
  autoreload::options with_guard = support::anywhere();
  with_guard.guard = guard;
  library other(other_path, with_guard);
  guard->slow = true;
  std::jthread loads_other([&] { EXPECT_TRUE(other.reload()); });
  guard->asked.get_future().wait();  // it has not been to the loader yet
  bool asked = false;
  const hook asks([&](std::string_view where) {
    if (where != "constructor" || std::exchange(asked, true)) return;
    guard->answer.set_value();
    const auto refused = other.reload();
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().at(), stage::use) << refused.error().what();
    other.pause();
    other.resume();
  });
  EXPECT_TRUE(lib.reload());
  loads_other.join();
  EXPECT_TRUE(asked);
}

// ---- the guard

struct opinionated : autoreload::abi_checker {
  std::function<autoreload::guard_verdict(const autoreload::guard_request&)> opinion;
  autoreload::guard_verdict check(const autoreload::guard_request& request) override { return opinion(request); }
};

TEST_F(Reloadable, WhatTheGuardRefusesIsNotLoaded) {
  put(path_, 1);
  const auto guard = std::make_shared<opinionated>();
  int asked = 0;
  guard->opinion = [&](const autoreload::guard_request& request) -> autoreload::guard_verdict {
    EXPECT_EQ(request.path, path_);
    EXPECT_GE(request.candidate, 0);
    EXPECT_EQ(request.running >= 0, asked > 0);
    EXPECT_EQ(request.symbols.size(), 6U);
    return {++asked == 2, {"worker_stamp returns something else"}, {}};
  };
  autoreload::options chosen = manual();
  chosen.guard = guard;
  library lib(path_, chosen);
  EXPECT_EQ(asked, 1);
  put(path_, 2);
  lib.poll();
  EXPECT_EQ(lib->stamp(), 1U);
  EXPECT_EQ(lib.last_failure()->at(), stage::guard);
  EXPECT_NE(lib.last_failure()->reason().find("worker_stamp returns something else"), std::string::npos);
  put(path_, 3);
  lib.poll();
  EXPECT_EQ(lib->stamp(), 3U);
}

TEST_F(Reloadable, AGuardThatThrowsRefuses) {
  put(path_, 1);
  const auto guard = std::make_shared<opinionated>();
  guard->opinion = [](const autoreload::guard_request&) { return autoreload::guard_verdict{}; };
  autoreload::options chosen = background();
  chosen.guard = guard;
  const library lib(path_, chosen);
  std::atomic<bool> throws{true};
  guard->opinion = [&](const autoreload::guard_request&) {
    if (throws) throw std::runtime_error("no opinion");
    return autoreload::guard_verdict{};
  };
  put(path_, 2);
  const event refusal = expect(event_kind::refused);
  ASSERT_TRUE(refusal.failure);
  EXPECT_EQ(refusal.failure->at(), stage::guard);
  EXPECT_NE(std::string(refusal.failure->what()).find("no opinion"), std::string::npos);
  EXPECT_EQ(lib->stamp(), 1U);
  throws = false;
  put(path_, 3);
  expect(event_kind::loaded);
  EXPECT_EQ(lib->stamp(), 3U);
}

// ---- options

TEST_F(Reloadable, RefusesWhatCanNotBeMeant) {
  put(path_, 1);
  const auto refused = [](const std::string& at, const autoreload::options& chosen) {
    try {
      const library lib(at, chosen);
    } catch (const error& thrown) {
      EXPECT_EQ(thrown.at(), stage::use);
      EXPECT_EQ(thrown.path(), at);
      EXPECT_FALSE(thrown.advice().empty());
      return true;
    }
    return false;
  };
  EXPECT_TRUE(refused("", {}));
  EXPECT_TRUE(refused(path_ + std::string(1, '\0') + ".so", {}));
  for (const int flags : {0, RTLD_LAZY, RTLD_NOW | RTLD_NOLOAD, RTLD_NOW | RTLD_NODELETE}) {
    autoreload::options chosen = support::anywhere();
    chosen.load_flags = flags;
    EXPECT_TRUE(refused(path_, chosen)) << flags;
  }
  for (const auto interval : {0ms, -1ms}) {
    autoreload::options chosen = support::anywhere();
    chosen.poll_interval = interval;
    EXPECT_TRUE(refused(path_, chosen)) << interval.count();
  }
}

TEST_F(Reloadable, KeepsOldGenerationsWhenAsked) {
  put(path_, 1);
  autoreload::options chosen = manual();
  chosen.keep_old = true;
  library lib(path_, chosen);
  const std::size_t before = support::loaded_snapshots().size();
  std::uint64_t (*const old)() = lib.pin()->stamp.unsafe_address();
  for (std::uint64_t build = 2; build <= 4; ++build) {
    put(path_, build);
    lib.poll();
    EXPECT_EQ(lib->stamp(), build);
  }
  EXPECT_EQ(old(), 1U);
  EXPECT_EQ(support::loaded_snapshots().size(), before + 3);
  EXPECT_EQ(kinds(), "loaded loaded loaded loaded");
}

// ---- the end

TEST_F(Reloadable, APinOutlivesTheReloadable) {
  const std::size_t before = support::loaded_snapshots().size();
  put(path_, 1);
  auto lib = std::make_unique<library>(path_, background());
  auto pin = lib->pin();
  lib.reset();
  EXPECT_EQ(support::loaded_snapshots().size(), before + 1);
  EXPECT_EQ(pin->stamp(), 1U);
  pin.release();
  // Some engine's next retirement takes it along.
  put(path_, 2);
  library another(path_, background());
  ASSERT_TRUE(another.reload());
  EXPECT_TRUE(support::comes_true([&] { return support::loaded_snapshots().size() == before + 1; }));
}

struct last_call {
  std::unique_ptr<library> lib;
  static void destroy(void* self) { static_cast<last_call*>(self)->lib.reset(); }
};

TEST_F(Reloadable, MayBeDestroyedByACallback) {
  put(path_, 1);
  last_call host{std::make_unique<library>(path_, background())};
  EXPECT_EQ((*host.lib)->visit(&last_call::destroy, &host), 1U);
  EXPECT_EQ(host.lib, nullptr);
}

TEST_F(Reloadable, ComesAndGoesWhileTheLibraryChanges) {
  put(path_, 1);
  const std::jthread linker([&](const std::stop_token& stop) {
    for (std::uint64_t build = 2; !stop.stop_requested(); ++build) put(path_, build);
  });
  const library witness(path_, background());  // keeps the service's thread alive meanwhile
  for (int i = 0; i < 50; ++i) {
    library lib(path_, support::anywhere());
    EXPECT_GT(lib->stamp(), 0U);
  }
}

// ---- fork

TEST_F(Reloadable, AForkedChildMayCallAndIsToldThatItCannotReload) {
  put(path_, 1);
  auto lib = std::make_unique<library>(path_, background());
  support::in_child([&] {
    EXPECT_EQ((*lib)->stamp(), 1U);
    EXPECT_EQ(lib->generation(lib->pin()), 1U);
    const auto refused = lib->reload();
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().at(), stage::use);
    lib->pause();
    lib->resume();
    lib->poll();
    EXPECT_EQ(lib->last_failure(), std::nullopt);
    lib.reset();
  });
  put(path_, 2);
  EXPECT_EQ(expect(event_kind::unloaded).generation, 1U) << "the child disturbed the parent";
  EXPECT_EQ((*lib)->stamp(), 2U);
}

// The child has the locks as they were, but not the threads that would release them.
TEST_F(Reloadable, AForkWhileAReloadIsUnderwayLeavesTheChildFree) {
  put(path_, 1);
  auto lib = std::make_unique<library>(path_, background());
  std::promise<void> entered;
  std::promise<void> leave;
  bool once = false;
  const hook waits([&](std::string_view where) {
    if (where != "constructor" || std::exchange(once, true)) return;
    entered.set_value();
    leave.get_future().wait();
  });
  put(path_, 2);
  entered.get_future().wait();
  support::in_child([&] {
    EXPECT_EQ((*lib)->stamp(), 1U);
    EXPECT_EQ(lib->generation(), 1U);
    EXPECT_FALSE(lib->reload());
    lib->pause();
    lib->resume();
    lib->poll();
    lib.reset();
  });
  leave.set_value();
  EXPECT_EQ(expect(event_kind::unloaded).generation, 1U);
  EXPECT_EQ((*lib)->stamp(), 2U);
}

// The mutex that guards the answers may be locked at the moment of the fork.
TEST_F(Reloadable, AForkWhileAnotherThreadAsksLeavesTheChildFree) {
  put(path_, 1);
  library lib(path_, background());
  std::atomic<bool> stop{false};
  std::jthread asks([&] {
    const auto pin = lib.pin();
    while (!stop) {
      (void)lib.generation(pin);
      (void)lib.last_failure();
    }
  });
  for (int i = 0; i < 20; ++i) {
    support::in_child([&] {
      EXPECT_EQ(lib.generation(lib.pin()), 1U);
      EXPECT_EQ(lib.last_failure(), std::nullopt);
      EXPECT_TRUE(lib.history().empty());
    });
  }
  stop = true;
}

TEST_F(Reloadable, AForkedChildMayHaveAReloadableOfItsOwn) {
  if (support::thread_sanitized) GTEST_SKIP() << support::no_threads_after_fork;
  if (!support::allocates_after_fork) GTEST_SKIP() << support::no_memory_after_fork;
  put(path_, 1);
  library lib(path_, background());
  support::in_child([&] {
    const std::string own_path = directory_ / "own.so";
    put(own_path, 10);
    autoreload::event_queue own_events;
    autoreload::options own_options = support::anywhere();
    own_options.observer = own_events.observer();
    library own(own_path, own_options);
    EXPECT_EQ(own->stamp(), 10U);
    EXPECT_EQ(lib->stamp(), 1U);
    for (std::uint64_t build = 11; build < 14; ++build) {
      put(own_path, build);
      EXPECT_TRUE(own_events.next(event_kind::unloaded, support::patience));
      EXPECT_EQ(own->stamp(), build);
    }
    EXPECT_EQ(lib->stamp(), 1U);
  });
  for (std::uint64_t build = 2; build < 4; ++build) {
    put(path_, build);
    EXPECT_EQ(expect(event_kind::unloaded).generation, build - 1);
  }
}

TEST_F(Reloadable, ParentAndChildBothReloadTheSameFile) {
  if (support::thread_sanitized) GTEST_SKIP() << support::no_threads_after_fork;
  if (!support::allocates_after_fork) GTEST_SKIP() << support::no_memory_after_fork;
  put(path_, 1);
  library lib(path_, background());
  std::array<int, 2> ready{};
  ASSERT_EQ(pipe2(ready.data(), O_CLOEXEC), 0);
  std::jthread parent([&] {
    char byte = 0;
    if (read(ready[0], &byte, 1) == 1) put(path_, 2);
  });
  support::in_child([&] {
    autoreload::event_queue own_events;
    autoreload::options own_options = support::anywhere();
    own_options.observer = own_events.observer();
    library own(path_, own_options);
    EXPECT_EQ(write(ready[1], "x", 1), 1);
    EXPECT_TRUE(own_events.next(event_kind::unloaded, support::patience));
    EXPECT_EQ(own->stamp(), 2U);
  });
  EXPECT_EQ(expect(event_kind::unloaded).generation, 1U);
  EXPECT_EQ(lib->stamp(), 2U);
  close(ready[0]);
  close(ready[1]);
}

}  // namespace
