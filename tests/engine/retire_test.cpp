// SPDX-License-Identifier: MIT
// retire_test: old generations really leave the process, or it is said why not, and nothing else piles up.
#include <dlfcn.h>
#include <gtest/gtest.h>

#include <array>
#include <memory>

#include "engine_support.hpp"
#include "reload/inspect/inspect.hpp"

using autoreload::event;
using autoreload::event_kind;
using support::library;
using support::put;
using support::stamped;
using support::worker_api;

namespace {

int constructed = 0;
int destructed = 0;

}  // namespace

extern "C" {
void (*worker_hook)(const char*) = [](const char* where) { ++(*where == 'c' ? constructed : destructed); };
}

namespace {

class Retire : public support::EngineTest {
 protected:
  // Old generations are not kept to be loaded again: what is left of them is what could not leave.
  [[nodiscard]] autoreload::options background() {
    autoreload::options chosen = EngineTest::background();
    chosen.history.generations = 0;
    return chosen;
  }
  [[nodiscard]] autoreload::options manual() {
    autoreload::options chosen = EngineTest::manual();
    chosen.history.generations = 0;
    return chosen;
  }
  // What the process holds that a generation could leave behind.
  struct holdings {
    std::size_t snapshots = support::loaded_snapshots().size();
    std::size_t descriptors = support::open_descriptors();
    std::size_t mappings = support::mappings("memfd:");
    bool operator==(const holdings&) const = default;
    friend std::ostream& operator<<(std::ostream& out, const holdings& held) {
      return out << held.snapshots << " snapshots, " << held.descriptors << " descriptors, " << held.mappings
                 << " mappings";
    }
  };
};

TEST_F(Retire, AnOldGenerationLeavesMemoryAndItsDescriptorIsClosed) {
  put(path_, 1);
  library lib(path_, manual());
  const std::set<std::string> first = support::loaded_snapshots();
  const holdings before;
  put(path_, 2);
  lib.poll();
  EXPECT_EQ(expect(event_kind::unloaded).generation, 1U);
  EXPECT_EQ(holdings(), before);
  EXPECT_NE(support::loaded_snapshots(), first);
}

TEST_F(Retire, RunsConstructorsAndDestructorsOnceEach) {
  constructed = destructed = 0;
  put(path_, 1);
  {
    library lib(path_, manual());
    EXPECT_EQ(constructed, 1);
    put(path_, 2);
    lib.poll();
    EXPECT_EQ(constructed, 2);
    EXPECT_EQ(destructed, 1);
  }
  EXPECT_EQ(constructed, 2);
  EXPECT_EQ(destructed, 2);
}

TEST_F(Retire, AHundredReloadsLeaveWhatOneLeaves) {
  put(path_, 1);
  library lib(path_, manual());
  put(path_, 2);
  lib.poll();
  const holdings before;
  const std::size_t mappings = support::mappings();
  for (std::uint64_t build = 3; build <= 102; ++build) {
    put(path_, stamped(libraries::variants[build % libraries::variants.size()], build));
    lib.poll();
    ASSERT_EQ(lib->stamp(), build);
  }
  put(path_, 103);
  lib.poll();
  EXPECT_EQ(holdings(), before);
  if (support::sanitized) return;  // its own memory grows
  EXPECT_LE(support::mappings(), mappings + 2) << "beside the generations only the heap may have grown";
}

TEST_F(Retire, RefusedBuildsLeaveNothing) {
  put(path_, 1);
  library lib(path_, manual());
  const std::string good = stamped(libraries::plain, 2);
  const auto refuse_some = [&](std::uint64_t stamp) {
    for (const std::string& bad :
         {stamped(libraries::without_stamp, stamp), good.substr(0, good.size() / 2), std::string("text")}) {
      put(path_, bad);
      lib.poll();
      ASSERT_TRUE(lib.last_failure());
    }
  };
  refuse_some(1);
  const holdings before;
  for (std::uint64_t stamp = 2; stamp < 12; ++stamp) refuse_some(stamp);
  EXPECT_EQ(holdings(), before);
}

TEST_F(Retire, AnEngineThatIsGoneLeavesNothing) {
  put(path_, 1);
  { const library warm_up(path_, background()); }
  const holdings before;
  const std::size_t threads = support::threads();
  for (const bool in_background : {true, false}) {
    library lib(path_, in_background ? background() : manual());
    EXPECT_TRUE(lib.reload());
  }
  EXPECT_EQ(holdings(), before);
  EXPECT_TRUE(support::comes_true([&] { return support::threads() <= threads; }));
}

// ---- those that stay, and why

TEST_F(Retire, ANoDeleteLibraryStaysAndItIsSaidWhy) {
  put(path_, stamped(libraries::no_delete, 1));
  library lib(path_, manual());
  const std::size_t before = support::loaded_snapshots().size();
  for (std::uint64_t build = 2; build < 6; ++build) {
    put(path_, stamped(libraries::no_delete, build));
    lib.poll();
    EXPECT_EQ(lib->stamp(), build);
    const event stays = expect(event_kind::retained);
    EXPECT_EQ(stays.generation, build - 1);
    EXPECT_NE(stays.text.find("nodelete"), std::string::npos) << stays.text;
  }
  EXPECT_EQ(support::loaded_snapshots().size(), before + 4);
  put(path_, 6);
  lib.poll();
  EXPECT_EQ(lib->stamp(), 6U);
  EXPECT_EQ(kinds(), "loaded retained") << "the others are not reported again";
}

TEST_F(Retire, ALibraryWithAUniqueSymbolStaysAndItIsSaidWhy) {
  const std::string build = stamped(libraries::unique, 2);
  const auto bytes = std::as_bytes(std::span(build));
  if (autoreload::inspect(bytes).facts.unique_symbols.empty()) {
    GTEST_SKIP() << "this compiler makes no unique symbols";
  }
  put(path_, stamped(libraries::unique, 1));
  library lib(path_, manual());
  put(path_, build);
  lib.poll();
  EXPECT_EQ(lib->stamp(), 2U);
  const event stays = expect(event_kind::retained);
  EXPECT_EQ(stays.generation, 1U);
  EXPECT_NE(stays.text.find("-fno-gnu-unique"), std::string::npos) << stays.text;
}

TEST_F(Retire, AThreadLocalObjectKeepsItUntilTheThreadEnds) {
  put(path_, stamped(libraries::thread_local_object, 1));
  library lib(path_, background());
  std::promise<void> touched;
  std::promise<void> leave;
  std::jthread thread([&] {
    lib->touch_thread();
    touched.set_value();
    leave.get_future().wait();
  });
  touched.get_future().wait();
  put(path_, stamped(libraries::thread_local_object, 2));
  const event stays = expect(event_kind::retained);
  EXPECT_EQ(stays.generation, 1U);
  EXPECT_NE(stays.text.find("thread_local"), std::string::npos) << stays.text;
  EXPECT_EQ(lib->stamp(), 2U);
  put(path_, stamped(libraries::thread_local_object, 3));
  EXPECT_EQ(expect(event_kind::unloaded).generation, 2U) << "nobody touched it";
  leave.set_value();
  EXPECT_EQ(expect(event_kind::unloaded).generation, 1U);
}

TEST_F(Retire, APinKeepsItAndItsThreadIsNamed) {
  put(path_, 1);
  library lib(path_, background());
  auto pin = lib.pin();
  put(path_, 2);
  const event stays = expect(event_kind::retained);
  EXPECT_EQ(stays.generation, 1U);
  EXPECT_NE(stays.text.find("thread " + std::to_string(gettid())), std::string::npos) << stays.text;
  EXPECT_EQ(pin->stamp(), 1U);
  pin.release();
  EXPECT_EQ(expect(event_kind::unloaded).generation, 1U);
}

TEST_F(Retire, AHostThatOpenedItTooKeepsItUntilItIsClosed) {
  put(path_, 1);
  library lib(path_, background());
  Dl_info found{};
  ASSERT_NE(dladdr(reinterpret_cast<void*>(lib.pin()->stamp.unsafe_address()), &found), 0);
  void* const own = dlopen(found.dli_fname, RTLD_NOW | RTLD_NOLOAD);
  ASSERT_NE(own, nullptr);
  put(path_, 2);
  const event stays = expect(event_kind::retained);
  EXPECT_NE(stays.text.find("somebody else"), std::string::npos) << stays.text;
  dlclose(own);
  EXPECT_EQ(expect(event_kind::unloaded).generation, 1U);
}

// A name of the loader's that outlives its descriptor would be given to another library.
TEST_F(Retire, ADependencyThatStaysIsNotTakenForAnother) {
  const std::string helper = directory_ / "libhelper.so";
  put(helper, stamped(libraries::helper, 1));
  put(path_, stamped(libraries::helped, 1));
  library lib(path_, manual());
  ASSERT_TRUE(lib.loaded()) << lib.last_failure()->what();
  EXPECT_EQ(lib->stamp(), 1U);
  for (std::uint64_t build = 2; build < 6; ++build) {
    put(helper, stamped(libraries::helper, build));
    put(path_, stamped(libraries::helped, build));
    lib.poll();
    ASSERT_EQ(lib.last_failure(), std::nullopt) << lib.last_failure()->what();
    EXPECT_EQ(lib->variant(), build);
    EXPECT_EQ(lib->stamp(), build) << "an older dependency answers";
  }
}

}  // namespace
