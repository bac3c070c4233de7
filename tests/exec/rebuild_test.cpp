// SPDX-License-Identifier: MIT
// rebuild_test: a save is enough: the library is built beside the program, which notices nothing of that.
#include <gtest/gtest.h>

#include <csignal>

#include "conversation.hpp"
#include "workshop.hpp"

namespace {

using support::asked_program;
using support::conversation;
using support::number_library;
using support::number_program;
using support::workshop;

// A library that make builds.
void make_built(const workshop& here, int value, const std::string& name = "libfoo.so") {
  support::write_file(here / "foo.c", number_library(value));
  support::write_file(here / "Makefile", name + ": foo.c\n\t" + std::getenv("AUTORELOAD_TEST_CC") +
                                             " -g -shared -fPIC -o new.so foo.c -Wl,-soname," + name +
                                             " && mv new.so " + name + "\n");
  support::shell("make -s -C '" + here.directory() + "'");
}

TEST(ExecRebuild, ASaveIsBuiltByMakeAndTakenOver) {
  workshop here;
  make_built(here, 4);
  here.program(number_program());
  conversation app({"--rebuild", "--", "./app"}, here.directory());
  EXPECT_EQ(app.ask("?"), "4");
  app.hear("libfoo.so\": ready: make");
  support::write_file(here / "foo.c", number_library(5));
  app.hear("autoreload: loaded: ");
  EXPECT_EQ(app.ask("?"), "5");
  EXPECT_EQ(WEXITSTATUS(app.finish()), 7) << app.said();
}

TEST(ExecRebuild, ASourceThatDoesNotCompileIsSaidAndChangesNothing) {
  workshop here;
  make_built(here, 4);
  here.program(number_program());
  conversation app({"--rebuild", "--", "./app"}, here.directory());
  EXPECT_EQ(app.ask("?"), "4");
  app.hear("ready: ");
  support::write_file(here / "foo.c", "int foo(void) { return 5 }\n");
  app.hear("build failed: ");
  app.hear("foo.c:1:");
  EXPECT_EQ(app.ask("?"), "4");
  support::write_file(here / "foo.c", number_library(6));
  app.hear("autoreload: loaded: ");
  EXPECT_EQ(app.ask("?"), "6");
}

TEST(ExecRebuild, TheCommandCanBeChosen) {
  workshop here;
  here.library(number_library(4));
  here.program(number_program());
  support::write_file(here / "build.sh", std::string(std::getenv("AUTORELOAD_TEST_CC")) +
                                             " -g -shared -fPIC -o new.so libfoo.so.c -Wl,-soname,libfoo.so && mv "
                                             "new.so libfoo.so\n");
  conversation app({"--build-command", "sh build.sh", "--", "./app"}, here.directory());
  EXPECT_EQ(app.ask("?"), "4");
  app.hear("ready: ");
  support::write_file(here / "libfoo.so.c", number_library(5));
  app.hear("autoreload: loaded: ");
  EXPECT_EQ(app.ask("?"), "5");
}

TEST(ExecRebuild, TheProgramHasNoChildNoSignalAndNoDescriptorMore) {
  workshop here;
  make_built(here, 4);
  here.program(asked_program(
      "#include <errno.h>\n#include <fcntl.h>\n#include <signal.h>\n#include <unistd.h>\n#include <sys/wait.h>\n"
      "int foo(void);\nstatic volatile int ended;\nstatic void child(int number) { (void)number; ++ended; }\n"
      "static void answer(const char* line) { (void)line; signal(SIGCHLD, child);\n"
      "  int none = waitpid(-1, 0, WNOHANG | __WALL) == -1 && errno == ECHILD; int file = open(\"/dev/null\", 0);\n"
      "  printf(\"%d children: %s, signals: %d, file: %d\\n\", foo(), none ? \"none\" : \"some\", ended, file);\n"
      "  close(file); }\n"));
  sigset_t child;
  sigset_t before;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  for (const bool blocked : {false, true}) {
    make_built(here, 4);
    if (blocked) sigprocmask(SIG_BLOCK, &child, &before);  // the program inherits that, and what is pending
    conversation app({"--rebuild", "--", "./app"}, here.directory());
    if (blocked) sigprocmask(SIG_SETMASK, &before, nullptr);
    EXPECT_EQ(app.ask("?"), "4 children: none, signals: 0, file: 3");
    app.hear("ready: ");
    support::write_file(here / "foo.c", number_library(5));
    app.hear("autoreload: loaded: ");
    EXPECT_EQ(app.ask("?"), "5 children: none, signals: 0, file: 3");
    EXPECT_EQ(WEXITSTATUS(app.finish()), 7) << app.said();
  }
}

TEST(ExecRebuild, WhatTheProgramOpensIsBuiltToo) {
  workshop here;
  make_built(here, 4, "libplugin.so");
  here.program(asked_program("#include <dlfcn.h>\nstatic void answer(const char* line) {\n"
                             "  static int (*foo)(void); if (!foo) foo = (int (*)(void))dlsym(dlopen(line, RTLD_NOW), "
                             "\"foo\");\n  printf(\"%d\\n\", foo()); }\n"),
               "-ldl");
  conversation app({"--rebuild", "--", "./app"}, here.directory());
  EXPECT_EQ(app.ask(here / "libplugin.so"), "4");
  app.hear("libplugin.so\": ready: ");
  support::write_file(here / "foo.c", number_library(5));
  app.hear("autoreload: loaded: ");
  EXPECT_EQ(app.ask("?"), "5");
}

TEST(ExecRebuild, NothingIsLeftWhenTheProgramIsKilled) {
  workshop here;
  make_built(here, 4);
  here.program(number_program());
  conversation app({"--build-command", "touch begun; sleep 600", "--", "./app"}, here.directory());
  EXPECT_EQ(app.ask("?"), "4");
  app.hear("ready: ");
  support::write_file(here / "foo.c", number_library(5));
  app.hear("building: ");
  kill(app.process(), SIGKILL);
  // Its standard error has an end only once nobody has it.
  EXPECT_TRUE(WIFSIGNALED(app.finish())) << app.said();
}

}  // namespace
