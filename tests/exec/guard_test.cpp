// SPDX-License-Identifier: MIT
// guard_test: a build that the program was not compiled for is refused, and the program goes on with what it has.
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "conversation.hpp"
#include "workshop.hpp"

namespace {

using support::asked_program;
using support::conversation;
using support::number_library;
using support::number_program;
using support::workshop;

std::size_t count(const std::string& text, const std::string& what) {
  std::size_t sum = 0;
  for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += what.size()) ++sum;
  return sum;
}

TEST(ExecGuard, AFunctionWithAnotherPrototypeIsRefused) {
  workshop here;
  here.library(number_library(1));
  here.program(number_program());
  conversation app({"--", "./app"}, here.directory());
  EXPECT_EQ(app.ask("?"), "1");
  here.library("int foo(int times) { return 2 * times; }\n");
  app.hear("refused: ");
  app.hear("foo");
  app.hear("start the program anew, undo the change, or let it be by --no-guard");
  EXPECT_EQ(app.ask("?"), "1");
  here.library(number_library(3));
  app.hear("autoreload: loaded: ");
  EXPECT_EQ(app.ask("?"), "3");
  EXPECT_EQ(WEXITSTATUS(app.finish()), 7) << app.said();
}

// A large program is loaded for a while, and a build that is made meanwhile is the first that is looked at.
TEST(ExecGuard, ABuildThatCameBeforeTheFirstLookIsComparedToo) {
  workshop here;
  here.library("int foo(int times) { return 2 * times; }\n");
  std::filesystem::rename(here / "libfoo.so", here / "next.so");
  here.library(number_library(1));
  here.program(number_program() + support::replacing_at_start);
  conversation app({"--", "./app"}, here.directory());
  app.hear("refused: ");
  EXPECT_EQ(app.ask("?"), "1");
  here.library(number_library(3));
  app.hear("autoreload: loaded: ");
  EXPECT_EQ(app.ask("?"), "3");
}

TEST(ExecGuard, OfTheBuildThatItStartedWithNothingIsSaid) {
  workshop here;
  here.library(number_library(1), "-g0");
  here.program(number_program());
  conversation app({"--", "./app"}, here.directory());
  EXPECT_EQ(app.ask("?"), "1");
  here.library(number_library(2), "-g0");
  app.hear("autoreload: loaded: ");
  const std::string before = app.said().substr(0, app.said().find("autoreload: loaded: "));
  EXPECT_EQ(before.find("ABI"), std::string::npos) << before;
  app.hear("has no debug information (-g)");
}

const char* const point_program =
    "struct point { int x, y; }; int foo(const struct point*);\n"
    "static void answer(const char* line) { (void)line; struct point p = {3, 4}; printf(\"%d\\n\", foo(&p)); }\n";

std::string point_library(const std::string& fields, int build) {
  return "struct point { " + fields + " }; int foo(const struct point* p) { return p->x + 10 * p->y + 100 * " +
         std::to_string(build) + "; }\n";
}

TEST(ExecGuard, AStructWithAnotherLayoutIsRefused) {
  workshop here;
  here.library(point_library("int x, y;", 1));
  here.program(asked_program(point_program));
  conversation app({"--", "./app"}, here.directory());
  EXPECT_EQ(app.ask("?"), "143");
  here.library(point_library("int y, x;", 2));
  app.hear("refused: ");
  app.hear("struct point");
  EXPECT_EQ(app.ask("?"), "143");
}

TEST(ExecGuard, ItIsTakenWhenThatIsAskedFor) {
  workshop here;
  here.library(point_library("int x, y;", 1));
  here.program(asked_program(point_program));
  conversation app({"--no-guard", "--", "./app"}, here.directory());
  EXPECT_EQ(app.ask("?"), "143");
  here.library(point_library("int y, x;", 2));
  app.hear("autoreload: loaded: ");
  EXPECT_EQ(app.ask("?"), "234");
}

// It is the first build's header that the program was compiled with.
TEST(ExecGuard, WhatComesInTwoStepsIsComparedWithTheFirstBuild) {
  workshop here;
  here.library(number_library(1));
  here.program(number_program());
  conversation app({"--", "./app"}, here.directory());
  EXPECT_EQ(app.ask("?"), "1");
  here.library("int bar(void) { return 2; }\n");  // a call of foo() would end the program
  app.hear("autoreload: loaded: ");
  here.library("double foo(double x) { return x; }\n");
  app.hear("refused: ");
  app.hear("foo");
  here.library(number_library(4));
  app.hear("autoreload: loaded: ");
  EXPECT_EQ(app.ask("?"), "4");
}

TEST(ExecGuard, ThatNothingCanBeComparedIsSaidOnce) {
  for (const bool first_has_it : {false, true}) {
    const std::string words = first_has_it ? "the library has no debug information (-g): its functions"
                                           : "the build that the program started with has no debug information (-g)";
    workshop here;
    here.library(number_library(1), first_has_it ? "" : "-g0");
    here.program(number_program());
    conversation app({"--", "./app"}, here.directory());
    EXPECT_EQ(app.ask("?"), "1");
    for (int build = 2; build <= 4; ++build) {
      here.library(number_library(build), first_has_it ? "-g0" : "");
      app.hear("autoreload: loaded: ");
      EXPECT_EQ(app.ask("?"), std::to_string(build));
    }
    app.finish();
    EXPECT_EQ(count(app.said(), words), 1U) << app.said();
  }
}

TEST(ExecGuard, TheProgramSeesNoChildOfIt) {
  workshop here;
  here.library(number_library(1));
  here.program(
      asked_program("#include <signal.h>\n#include <sys/wait.h>\n#include <errno.h>\nint foo(void);\n"
                    "static volatile int ended; static void end(int number) { (void)number; ++ended; }\n"
                    "static void answer(const char* line) { (void)line; signal(SIGCHLD, end);\n"
                    "  int status, none = waitpid(-1, &status, WNOHANG) == -1 && errno == ECHILD;\n"
                    "  printf(\"%d %d %d\\n\", foo(), ended, none); }\n"));
  conversation app({"--state", "--", "./app"}, here.directory());
  EXPECT_EQ(app.ask("?"), "1 0 1");
  for (int build = 2; build <= 4; ++build) {
    here.library(number_library(build));
    app.hear("autoreload: loaded: ");
    EXPECT_EQ(app.ask("?"), std::to_string(build) + " 0 1");
  }
}

}  // namespace
