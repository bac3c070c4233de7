// SPDX-License-Identifier: MIT
// linked_test: a host that is linked with its library has it reloaded by one call, without an API struct.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "conversation.hpp"
#include "workshop.hpp"

namespace {

using support::conversation;
using support::workshop;

std::string library(int value, const std::string& more = "int bar(void) { return 1; }\n") {
  return "int calls = 0;\nint foo(void) { ++calls; return " + std::to_string(value) + "; }\n" + more;
}

class Linked : public testing::Test {
 protected:
  void SetUp() override { build(library(4)); }
  void build(const std::string& source) { here.library(source, "-Wl,-z,defs"); }
  [[nodiscard]] std::vector<std::string> environment() const {
    std::filesystem::create_directories(here / "tmp");
    return {"LD_LIBRARY_PATH=" + here.directory(), "TMPDIR=" + (here / "tmp"), "XDG_RUNTIME_DIR="};
  }
  [[nodiscard]] std::vector<std::string> words(const std::vector<std::string>& more = {}) const {
    std::vector<std::string> all{std::getenv("LINKED_HOST")};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  void start_host(const std::vector<std::string>& more = {}) {
    host.emplace(conversation::as_it_is{}, words(more), here.directory(), environment());
  }

  workshop here;
  std::optional<conversation> host;
};

TEST_F(Linked, EachNewBuildIsCalledAndIsAnEventAndTheVariablesGoOn) {
  start_host();
  host->hear("event loaded 1\n");
  EXPECT_EQ(host->ask("foo"), "4 after 1");
  build(library(5));
  host->hear("event loaded 2\n");
  EXPECT_EQ(host->ask("foo"), "5 after 2");
  EXPECT_EQ(host->ask("kept"), "5");
  EXPECT_EQ(host->ask("paths"), "1");
  EXPECT_EQ(WEXITSTATUS(host->finish()), 7) << host->said();
}

TEST_F(Linked, ABuildThatIsRefusedIsAnEventAndChangesNothing) {
  start_host();
  EXPECT_EQ(host->ask("foo"), "4 after 1");
  support::write_file(here / "libfoo.so", "this is no library\n");
  host->hear("event refused 1 inspect\n");
  EXPECT_EQ(host->ask("foo"), "4 after 2");
  build("char calls[64];\nint foo(void) { return 5; }\nint bar(void) { return 1; }\n");
  host->hear("event refused 1 load\n");
  EXPECT_EQ(host->ask("foo"), "4 after 3");
  build(library(6));
  host->hear("event loaded 2\n");
  EXPECT_EQ(host->ask("foo"), "6 after 4");
}

TEST_F(Linked, ABuildThatCrashesWhileItIsLoadedIsRefusedAfterATrial) {
  start_host({"--trial"});
  EXPECT_EQ(host->ask("foo"), "4 after 1");
  build(library(5) + "__attribute__((constructor)) static void begin(void) { *(volatile int*)0 = 1; }\n");
  host->hear("event refused 1 trial\n");
  EXPECT_EQ(host->ask("foo"), "4 after 2");
}

TEST_F(Linked, AFunctionThatIsGoneIsAWarningAndItsCallSaysSo) {
  start_host();
  EXPECT_EQ(host->ask("bar"), "1");
  build(library(5, ""));
  host->hear("event loaded 2\n");
  host->hear("event warning 2 it lacks bar now");
  EXPECT_EQ(host->ask("foo"), "5 after 1");
  EXPECT_THROW(host->ask("bar"), std::runtime_error);
  EXPECT_NE(host->said().find("bar() was called, which the newest build of"), std::string::npos) << host->said();
  EXPECT_EQ(WTERMSIG(host->finish()), SIGABRT);
}

TEST_F(Linked, TheHostSeesItsOwnWordsAndEnvironment) {
  start_host({"a word", ""});
  EXPECT_EQ(host->ask("words"), words()[0] + " a word ");
  EXPECT_EQ(host->ask("environment"), "none");
  conversation other(conversation::as_it_is{}, words(), here.directory(),
                     {"LD_LIBRARY_PATH=" + here.directory(), "LD_PRELOAD="});
  EXPECT_EQ(other.ask("environment"), "");
}

TEST_F(Linked, NothingIsToldOrTakenAnyMoreOnceTheHostHasEnough) {
  start_host();
  host->hear("event loaded 1\n");
  build(library(5));
  host->hear("event loaded 2\n");
  EXPECT_EQ(host->ask("enough"), "enough");
  EXPECT_EQ(host->ask("foo"), "5 after 1");
  build(library(6));
  // The time in which a build is usually taken, by a host that has not enough.
  conversation other(conversation::as_it_is{}, words(), here.directory(), environment());
  other.hear("event loaded 1\n");
  build(library(7));
  other.hear("event loaded 2\n");
  EXPECT_EQ(host->ask("foo"), "5 after 2");
  EXPECT_EQ(WEXITSTATUS(host->finish()), 7);
  EXPECT_EQ(host->said().find("event loaded 3"), std::string::npos) << host->said();
}

TEST_F(Linked, AForkedChildGoesOnWithWhatItHasAndTheHostGetsNewBuilds) {
  start_host();
  EXPECT_EQ(host->ask("child"), "4");
  build(library(5));
  host->hear("event loaded 2\n");
  EXPECT_EQ(host->ask("child"), "5");
  EXPECT_EQ(host->ask("foo"), "5 after 1");
}

TEST_F(Linked, ItsDirectoryIsGoneWhenTheHostHasEnded) {
  start_host();
  EXPECT_EQ(host->ask("foo"), "4 after 1");
  EXPECT_FALSE(std::filesystem::is_empty(here / "tmp"));
  host->finish();
  EXPECT_TRUE(std::filesystem::is_empty(here / "tmp"));
}

TEST_F(Linked, WhatCantBeIsAnErrorAndTheHostGoesOn) {
  start_host({"--lib", "libbar.so"});
  host->hear("error use: none of the libraries that this program is linked with is reloaded");
  EXPECT_EQ(host->ask("foo"), "4 after 1");
  EXPECT_EQ(host->ask("paths"), "0");
  EXPECT_EQ(host->ask("again"), "the program's libraries are looked after already");
  EXPECT_TRUE(std::filesystem::is_empty(here / "tmp"));
}

TEST_F(Linked, UnderTheCommandTheCommandReloads) {
  conversation app({"--", words()[0]}, here.directory(), environment());
  app.hear("error use: `autoreload exec` reloads this program's libraries");
  EXPECT_EQ(app.ask("foo"), "4 after 1");
  build(library(5));
  app.hear("autoreload: loaded: ");
  EXPECT_EQ(app.ask("foo"), "5 after 2");
}

TEST_F(Linked, WhatIsLostToNewerBuildsIsSaid) {
  build(library(4, "static char table[4096];\nint bar(void) { return ++table[calls]; }\n"));
  start_host();
  host->hear("remark ");
  host->hear("bytes of variables of its own, which start anew in each build");
  EXPECT_EQ(host->ask("bar"), "1");
}

}  // namespace
