// SPDX-License-Identifier: MIT
// exec_test: a program that knows nothing of this goes on with newer builds of its libraries.
#include <gtest/gtest.h>

#include <filesystem>

#include "conversation.hpp"
#include "workshop.hpp"

namespace {

using support::asked_program;
using support::conversation;
using support::workshop;

const char* const counting_program =
    "int foo(void);\nextern int calls;\n"
    "static void answer(const char* line) { (void)line; int value = foo(); printf(\"%d after %d\\n\", value, calls); "
    "}\n";

std::string counting_library(int value) {
  return "int calls = 0;\nint foo(void) { ++calls; return " + std::to_string(value) + "; }\n";
}

TEST(Exec, AProgramThatIsLinkedWithALibraryGetsTheNewBuildAndKeepsItsVariables) {
  workshop here;
  here.library(counting_library(4));
  here.program(asked_program(counting_program));
  conversation app({"--", "./app"}, here.directory());
  EXPECT_EQ(app.ask("?"), "4 after 1");
  here.library(counting_library(5));
  app.hear("autoreload: loaded: ");
  EXPECT_EQ(app.ask("?"), "5 after 2");
  const int status = app.finish();
  EXPECT_EQ(WEXITSTATUS(status), 7) << app.said();
}

TEST(Exec, TwoHundredBuildsAreTakenOneAfterTheOther) {
  workshop here;
  here.library(counting_library(0));
  here.program(asked_program(counting_program));
  conversation app({"--", "./app"}, here.directory());
  ASSERT_EQ(app.ask("?"), "0 after 1");
  for (int i = 1; i <= 200; ++i) {
    here.library(counting_library(i), "-O0");
    app.hear("autoreload: loaded: ");
    ASSERT_EQ(app.ask("?"), std::to_string(i) + " after " + std::to_string(i + 1));
  }
  EXPECT_EQ(WEXITSTATUS(app.finish()), 7) << app.said();
}

TEST(Exec, ABuildThatIsNoLibraryChangesNothing) {
  workshop here;
  here.library(counting_library(4));
  here.program(asked_program(counting_program));
  conversation app({"--", "./app"}, here.directory());
  EXPECT_EQ(app.ask("?"), "4 after 1");
  support::write_file(here / "libfoo.so", "this is no library\n");
  app.hear("refused");
  EXPECT_EQ(app.ask("?"), "4 after 2");
  here.library(counting_library(6));
  app.hear("autoreload: loaded: ");
  EXPECT_EQ(app.ask("?"), "6 after 3");
}

TEST(Exec, TheProgramsDescriptorsHaveTheNumbersThatTheyHaveWithoutIt) {
  workshop here;
  here.library(counting_library(4));
  here.program(
      asked_program("#include <fcntl.h>\n#include <unistd.h>\nint foo(void);\n"
                    "static void answer(const char* line) { (void)line; int file = open(\"/dev/null\", O_RDONLY);\n"
                    "  printf(\"%d %d\\n\", foo(), file); close(file); }\n"));
  conversation app({"--", "./app"}, here.directory());
  EXPECT_EQ(app.ask("?"), "4 3");
  here.library(counting_library(5));
  app.hear("autoreload: loaded: ");
  EXPECT_EQ(app.ask("?"), "5 3");
}

TEST(Exec, APipeThatNobodyReadsEndsTheProgramAsWithoutIt) {
  workshop here;
  here.library(counting_library(4));
  here.program(
      asked_program("#include <signal.h>\nint foo(void);\nstatic void answer(const char* line) { (void)line; foo(); "
                    "puts(signal(SIGPIPE, SIG_DFL) == SIG_DFL ? \"ends\" : \"ignored\"); }\n"));
  conversation app({"--", "./app"}, here.directory());
  EXPECT_EQ(app.ask("?"), "ends");
}

TEST(Exec, WhatAConstructorOpensIsTheProgramsOwn) {
  const auto source = [](int value) {
    return "#include <fcntl.h>\n#include <unistd.h>\nint opened = -1;\n"
           "__attribute__((constructor)) static void begin(void) { opened = open(\"libfoo.so.c\", O_RDONLY); }\n"
           "int foo(void) { char c = 0; return read(opened, &c, 1) == 1 ? " +
           std::to_string(value) + " : -1; }\n";
  };
  workshop here;
  here.library(source(4));
  here.program(support::number_program());
  conversation app({"--", "./app"}, here.directory());
  EXPECT_EQ(app.ask("?"), "4");
  here.library(source(5));
  app.hear("autoreload: loaded: ");
  EXPECT_EQ(app.ask("?"), "5");
}

TEST(Exec, ChildrenStartWithoutIt) {
  workshop here;
  here.library(counting_library(4));
  here.program(
      asked_program("int foo(void);\nstatic void answer(const char* line) { foo(); fflush(stdout); system(line); }\n"));
  conversation app({"--", "./app"}, here.directory(), {"LD_PRELOAD_NOT=1"});
  EXPECT_EQ(app.ask("echo \"[$LD_PRELOAD$AUTORELOAD_EXEC]\""), "[]");
  EXPECT_EQ(app.ask("grep -c autoreload-exec /proc/self/maps || true"), "0");
}

TEST(Exec, WhatThereIsToSayGoesToAFileIfAsked) {
  workshop here;
  here.library(counting_library(4));
  here.program(asked_program(counting_program));
  conversation app({"--log", "said.txt", "--", "./app"}, here.directory());
  EXPECT_EQ(app.ask("?"), "4 after 1");
  app.hear("reloads");
  here.library(counting_library(5));
  while (app.ask("?").starts_with("4")) {
  }
  app.finish();
  EXPECT_EQ(app.said().find("generation"), std::string::npos) << app.said();
}

TEST(Exec, ABuildThatCrashesWhileItIsLoadedIsRefusedAfterATrial) {
  workshop here;
  here.library(counting_library(4));
  here.program(asked_program(counting_program));
  conversation app({"--trial", "--", "./app"}, here.directory());
  EXPECT_EQ(app.ask("?"), "4 after 1");
  here.library(counting_library(5) +
               "__attribute__((constructor)) static void begin(void) { ++calls; *(volatile int*)0 = 1; }\n");
  app.hear("refused");
  EXPECT_EQ(app.ask("?"), "4 after 2");
  here.library(counting_library(6));
  app.hear("autoreload: loaded: ");
  EXPECT_EQ(app.ask("?"), "6 after 3");
}

TEST(Exec, ItsDirectoryIsGoneWhenTheProgramHasEnded) {
  workshop here;
  std::filesystem::create_directory(here / "tmp");
  here.library(counting_library(4));
  here.program(asked_program(counting_program));
  conversation app({"--", "./app"}, here.directory(), {"TMPDIR=" + (here / "tmp"), "XDG_RUNTIME_DIR="});
  EXPECT_EQ(app.ask("?"), "4 after 1");
  EXPECT_FALSE(std::filesystem::is_empty(here / "tmp"));
  app.finish();
  EXPECT_TRUE(std::filesystem::is_empty(here / "tmp"));
}

TEST(Exec, ALibraryAndOneThatItNeedsAreBothReplaced) {
  const auto base = [](int value) { return "int base(void) { return " + std::to_string(value) + "; }\n"; };
  const auto foo = [](int value) {
    return "int base(void);\nint foo(void) { return " + std::to_string(value) + " + base(); }\n";
  };
  workshop here;
  here.library(base(10), {}, "libbase.so");
  here.library(foo(1), "-L. -lbase -Wl,-rpath,\"$PWD\"");
  here.program(support::number_program(), "-L. -lfoo -Wl,-rpath-link,.");
  conversation app({"--", "./app"}, here.directory());
  EXPECT_EQ(app.ask("?"), "11");
  here.library(base(20), {}, "libbase.so");
  app.hear("autoreload: loaded: ");
  EXPECT_EQ(app.ask("?"), "21");
  here.library(foo(2), "-L. -lbase -Wl,-rpath,\"$PWD\"");
  app.hear("autoreload: loaded: ");
  EXPECT_EQ(app.ask("?"), "22");
  here.library(base(30), {}, "libbase.so");
  app.hear("autoreload: loaded: ");
  EXPECT_EQ(app.ask("?"), "32");
}

TEST(Exec, AForkedChildGoesOnWithWhatItHas) {
  workshop here;
  here.library(counting_library(4));
  here.program(
      asked_program("#include <unistd.h>\n#include <sys/wait.h>\nint foo(void);\n"
                    "static void answer(const char* line) { (void)line; if (fork() == 0) { printf(\"%d\\n\", foo()); "
                    "exit(0); } wait(0); }\n"));
  conversation app({"--", "./app"}, here.directory());
  EXPECT_EQ(app.ask("?"), "4");
  here.library(counting_library(5));
  app.hear("autoreload: loaded: ");
  EXPECT_EQ(app.ask("?"), "5");
}

TEST(Exec, ThreadsCallWhileBuildsComeAndEachPairOfFunctionsIsOfOneBuild) {
  // one() and two() of a build agree: a call that begins after the swap sees only the new one.
  const auto source = [](int value) {
    const std::string text = std::to_string(value);
    return "int one(void) { return " + text + "; }\nint both(void) { return one() - " + text + "; }\n";
  };
  workshop here;
  here.library(source(0));
  here.program(support::calling_program(), "-L. -lfoo -pthread");
  conversation app({"--", "./app"}, here.directory());
  EXPECT_EQ(app.ask("start"), "0 0");
  for (int i = 1; i <= 20; ++i) {
    here.library(source(i));
    app.hear("autoreload: loaded: ");
  }
  EXPECT_EQ(app.ask("end"), "20 0");
}

}  // namespace
