// SPDX-License-Identifier: MIT
// boundary_test: with --at a build is taken over when a chosen function is called, and at no other call.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "conversation.hpp"
#include "workshop.hpp"

namespace {

using support::asked_program;
using support::conversation;
using support::workshop;

std::string two_steps(int build) {
  const std::string number = std::to_string(build);
  return "int begin(void) { return " + number + "; }\nint step(int by) { return 10 * " + number + " + by; }\n";
}

const char* const stepping_program =
    "int begin(void); int step(int);\n"
    "static void answer(const char* line) { printf(\"%d\\n\", *line == 'b' ? begin() : step(5)); }\n";

// Returns when the next build waits for its call.
void build_comes(workshop& here, conversation& app, int build) {
  here.library(two_steps(build));
  app.hear("it is taken over by the next call of begin()");
}

TEST(ExecBoundary, OnlyACallOfTheFunctionTakesTheBuildOver) {
  workshop here;
  here.library(two_steps(1));
  here.program(asked_program(stepping_program));
  conversation app({"--at", "begin", "--", "./app"}, here.directory());
  EXPECT_EQ(app.ask("begin"), "1");
  for (int build = 2; build <= 4; ++build) {
    build_comes(here, app, build);
    for (int i = 0; i < 3; ++i) EXPECT_EQ(app.ask("step"), std::to_string(10 * (build - 1) + 5));
    EXPECT_EQ(app.ask("begin"), std::to_string(build)) << "the call that begins it sees the new build";
    EXPECT_EQ(app.ask("step"), std::to_string(10 * build + 5));
  }
  EXPECT_EQ(WEXITSTATUS(app.finish()), 7) << app.said();
}

TEST(ExecBoundary, ABuildThatCameBeforeTheFirstLookWaitsForTheCallToo) {
  workshop here;
  here.library(two_steps(2));
  std::filesystem::rename(here / "libfoo.so", here / "next.so");
  here.library(two_steps(1));
  here.program(asked_program(stepping_program) + support::replacing_at_start);
  conversation app({"--at", "begin", "--", "./app"}, here.directory());
  app.hear("it is taken over by the next call of begin()");
  EXPECT_EQ(app.ask("step"), "15") << "the build that it started with";
  EXPECT_EQ(app.ask("begin"), "2");
  EXPECT_EQ(app.ask("step"), "25");
  build_comes(here, app, 3);
  EXPECT_EQ(app.ask("step"), "25");
  EXPECT_EQ(app.ask("begin"), "3");
  EXPECT_EQ(WEXITSTATUS(app.finish()), 7) << app.said();
}

TEST(ExecBoundary, ABuildThatWasReplacedBeforeThatNeverRuns) {
  workshop here;
  here.library(two_steps(1));
  here.program(asked_program(stepping_program));
  conversation app({"--at", "begin", "--", "./app"}, here.directory());
  EXPECT_EQ(app.ask("begin"), "1");
  for (int build = 2; build <= 5; ++build) {
    build_comes(here, app, build);
    EXPECT_EQ(app.ask("step"), "15");
  }
  EXPECT_EQ(app.ask("begin"), "5");
  EXPECT_EQ(app.ask("step"), "55");
  build_comes(here, app, 1);  // the first again, whose table led to the others meanwhile
  EXPECT_EQ(app.ask("step"), "55");
  EXPECT_EQ(app.ask("begin"), "1");
  EXPECT_EQ(app.ask("step"), "15");
}

TEST(ExecBoundary, TheBuildThatGaveWayLeaves) {
  if (std::getenv("AUTORELOAD_WITH_HOLDERS") == nullptr) GTEST_SKIP() << "without -Dholders=enabled all stay";
  workshop here;
  here.library(two_steps(1));
  here.program(asked_program(stepping_program));
  conversation app({"--at", "begin", "--", "./app"}, here.directory());
  EXPECT_EQ(app.ask("begin"), "1");
  build_comes(here, app, 2);
  EXPECT_EQ(app.ask("begin"), "2");
  build_comes(here, app, 3);
  app.hear("somebody may come back to it");
  EXPECT_EQ(app.ask("step"), "25");
  EXPECT_EQ(app.ask("begin"), "3");
  app.hear("autoreload: unloaded: ");
  EXPECT_EQ(app.ask("step"), "35");
}

// A thread that is between two calls of `begin` sees one build alone.
TEST(ExecBoundary, ManyThreadsGoOverTogether) {
  workshop here;
  here.library(two_steps(1));
  here.program(
      asked_program(
          "#include <pthread.h>\nint begin(void); int step(int);\n"
          "static volatile int stop, wrong; static pthread_t threads[3];\n"
          "static void* others(void* at) { (void)at; int last = 0; while (!stop) { int now = step(0) / 10; if (now < "
          "last) wrong = 1; last = now; } return 0; }\n"
          "static void* first(void* at) { (void)at; while (!stop) { int now = begin(); for (int i = 0; i < 100; ++i) "
          "if "
          "(step(0) != 10 * now) wrong = 1; } return 0; }\n"
          "static void answer(const char* line) {\n"
          "  if (*line == 's') for (int i = 0; i < 3; ++i) pthread_create(threads + i, 0, i ? others : first, 0);\n"
          "  if (*line == 'e') { stop = 1; for (int i = 0; i < 3; ++i) pthread_join(threads[i], 0); }\n"
          "  printf(\"%d\\n\", wrong); }\n"),
      "-L. -lfoo -pthread");
  conversation app({"--at", "begin", "--", "./app"}, here.directory());
  EXPECT_EQ(app.ask("start"), "0");
  for (int build = 2; build <= 20; ++build) {
    build_comes(here, app, build);
  }
  EXPECT_EQ(app.ask("end"), "0");
  EXPECT_EQ(WEXITSTATUS(app.finish()), 7) << app.said();
}

TEST(ExecBoundary, ANameThatNoLibraryExportsIsRefusedWithTheNearest) {
  workshop here;
  here.library(two_steps(1));
  here.program(asked_program(stepping_program));
  conversation app({"--at", "begn", "--", "./app"}, here.directory());
  EXPECT_EQ(WEXITSTATUS(app.finish()), 1);
  EXPECT_NE(app.said().find("none of the libraries that are reloaded exports begn()"), std::string::npos) << app.said();
  EXPECT_NE(app.said().find("did you mean begin?"), std::string::npos) << app.said();
}

}  // namespace
