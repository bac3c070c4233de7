// SPDX-License-Identifier: MIT
// symbols_test: each kind of exported symbol, before and after a newer build.
#include <gtest/gtest.h>

#include "conversation.hpp"
#include "workshop.hpp"

namespace {

using support::asked_program;
using support::conversation;
using support::workshop;

/// A library in which VALUE is a number, and a program that answers each line by one expression of its own.
class Symbols : public ::testing::Test {
 protected:
  void library(const std::string& source, int value, const std::string& flags = {}) {
    here.library("#define VALUE " + std::to_string(value) + "\n" + source, flags);
  }
  void program(const std::string& declarations, const std::string& print, const std::string& flags = "-L. -lfoo") {
    here.program(asked_program(declarations + "\nstatic void answer(const char* line) { (void)line; " + print + " }\n"),
                 flags);
  }
  /// What the program answers with a build of the source, and with the next one.
  struct build {
    int value;
    std::string answer;
  };
  void expect_answers(const std::string& source, const std::string& declarations, const std::string& print,
                      const build& first, const build& next, const std::string& library_flags = {},
                      const std::string& program_flags = "-L. -lfoo") {
    library(source, first.value, library_flags);
    program(declarations, print, program_flags);
    conversation app({"--", "./app"}, here.directory());
    EXPECT_EQ(app.ask("?"), first.answer);
    library(source, next.value, library_flags);
    app.hear("autoreload: loaded: ");
    EXPECT_EQ(app.ask("?"), next.answer);
  }
  workshop here;
};

TEST_F(Symbols, AFunctionPointerThatTheProgramKeepsLeadsToTheNewestCode) {
  const char* const source = "int foo(void) { return VALUE; }\n";
  expect_answers(source, "int foo(void);\nstatic int (*kept)(void);",
                 "if (!kept) kept = foo; printf(\"%d %d\\n\", kept(), kept == foo);", {4, "4 1"}, {5, "5 1"});
}

TEST_F(Symbols, AFunctionPointerInTheProgramsDataIsOneOfThose) {
  const char* const source = "int foo(void) { return VALUE; }\n";
  for (const char* const kind : {"-no-pie -fno-pie", "-pie -fPIE"}) {
    expect_answers(source, "int foo(void);\nint (*kept)(void) = foo;", "printf(\"%d %d\\n\", kept(), kept == foo);",
                   {4, "4 1"}, {5, "5 1"}, {}, std::string("-L. -lfoo ") + kind);
  }
}

TEST_F(Symbols, VersionsOfOneFunctionAreTwoFunctions) {
  const char* const source =
      "int old_foo(void) { return VALUE; }\nint new_foo(void) { return 10 * VALUE; }\n"
      "__asm__(\".symver old_foo,foo@V1\");\n__asm__(\".symver new_foo,foo@@V2\");\n";
  support::write_file(here / "map", "V1 { global: foo; local: *; };\nV2 { global: foo; } V1;\n");
  expect_answers(source, "int foo(void); int first(void);\n__asm__(\".symver first,foo@V1\");",
                 "printf(\"%d %d\\n\", foo(), first());", {4, "40 4"}, {5, "50 5"}, "-Wl,--version-script=map");
}

TEST_F(Symbols, AliasesAndWeakFunctionsAreReplacedToo) {
  const char* const source =
      "int foo(void) { return VALUE; }\nint same(void) __attribute__((alias(\"foo\")));\n"
      "__attribute__((weak)) int weak(void) { return VALUE + 1; }\n";
  expect_answers(source, "int same(void); int weak(void);", "printf(\"%d %d\\n\", same(), weak());", {4, "4 5"},
                 {7, "7 8"});
}

TEST_F(Symbols, AFunctionThatTheProgramHasItselfStaysTheProgramsForTheLibraryToo) {
  const char* const source =
      "__attribute__((weak)) int hook(void) { return 100; }\nint foo(void) { return VALUE + hook(); }\n";
  expect_answers(source, "int foo(void);\nint hook(void) { return 1000; }", "printf(\"%d\\n\", foo());", {4, "1004"},
                 {5, "1005"});
}

TEST_F(Symbols, AnIndirectFunctionIsChosenAnewInEachBuild) {
  const char* const source =
      "static int a(void) { return 100 + VALUE; }\nstatic int b(void) { return 200 + VALUE; }\n"
      "static void* choose(void) { return VALUE % 2 ? (void*)a : (void*)b; }\n"
      "int foo(void) __attribute__((ifunc(\"choose\")));\nint twice(void) { return 2 * foo(); }\n";
  expect_answers(source, "int foo(void); int twice(void);", "printf(\"%d %d\\n\", foo(), twice());", {4, "204 408"},
                 {5, "105 210"});
}

TEST_F(Symbols, ALibraryCallsItsOwnBuildAlsoFromAConstructor) {
  const char* const source =
      "int helper(void) { return VALUE; }\nint (*table[])(void) = {helper};\nint seen;\n"
      "__attribute__((constructor)) static void begin(void) { seen = helper(); }\n"
      "int foo(void) { return 100 * seen + 10 * helper(); }\n";
  for (const char* const flags : {"", "-fno-plt", "-Wl,-z,now", "-fno-semantic-interposition"}) {
    SCOPED_TRACE(flags);
    expect_answers(source, "int foo(void);", "printf(\"%d\\n\", foo());", {4, "440"}, {5, "550"}, flags);
  }
}

TEST_F(Symbols, VariablesInDataAndBssKeepTheirValuesCopiedIntoTheProgramOrNot) {
  const char* const source =
      "int data = 3; int bss[4]; const char* text = \"abc\"; long big[100] = {1};\n"
      "int foo(void) { ++data; bss[2] += VALUE; big[99] += VALUE; return data; }\n";
  for (const char* const kind : {"-no-pie -fno-pie", "-pie -fPIC"}) {
    SCOPED_TRACE(kind);
    expect_answers(source, "int foo(void); extern int data, bss[4]; extern const char* text; extern long big[100];",
                   "foo(); ++data; printf(\"%d %d %s %ld\\n\", data, bss[2], text, big[99] + big[0]);",
                   {4, "5 4 abc 5"}, {10, "7 14 abc 15"}, {}, std::string("-L. -lfoo ") + kind);
  }
}

TEST_F(Symbols, AConstantIsSharedUntilItChanges) {
  const char* const source =
      "const int same[2] = {1, 2};\nconst int changed = VALUE;\n"
      "const void* of_same(void) { return same; }\nint foo(void) { return *(const volatile int*)&changed; }\n";
  library(source, 4);
  program("int foo(void); const void* of_same(void); extern const int same[2], changed;",
          "printf(\"%d %d %d\\n\", foo(), changed, of_same() == same);");
  conversation app({"--", "./app"}, here.directory());
  EXPECT_EQ(app.ask("?"), "4 4 1");
  library(source, 5);
  app.hear("the constants changed changed");
  app.hear("autoreload: loaded: ");
  EXPECT_EQ(app.ask("?"), "5 4 1");
}

TEST_F(Symbols, AThreadLocalVariableIsTheProgramsInEachThread) {
  expect_answers("__thread int own = 1;\nint foo(void) { return own += VALUE; }\n",
                 "int foo(void); extern __thread int own;", "int after = foo(); printf(\"%d %d\\n\", after, own);",
                 {4, "5 5"}, {10, "15 15"});
}

TEST_F(Symbols, AVariableWhoseSizeChangedIsRefused) {
  library("int data[2];\nint foo(void) { return VALUE; }\n", 4);
  program("int foo(void); extern int data[2];", "printf(\"%d %d\\n\", foo(), data[1]);");
  conversation app({"--", "./app"}, here.directory());
  EXPECT_EQ(app.ask("?"), "4 0");
  library("int data[3];\nint foo(void) { return VALUE; }\n", 5);
  app.hear("had 8 bytes, and has 12");
  EXPECT_EQ(app.ask("?"), "4 0");
  library("int data[2];\nint foo(void) { return VALUE; }\n", 6);
  app.hear("autoreload: loaded: ");
  EXPECT_EQ(app.ask("?"), "6 0");
}

TEST_F(Symbols, AFunctionThatBecameAVariableIsRefused) {
  library("int foo(void) { return VALUE; }\nint bar(void) { return 1; }\n", 4);
  program("int foo(void); int bar(void);", "printf(\"%d %d\\n\", foo(), bar());");
  conversation app({"--no-guard", "--", "./app"}, here.directory());
  EXPECT_EQ(app.ask("?"), "4 1");
  library("int foo(void) { return VALUE; }\nint bar = 1;\n", 5);
  app.hear("was a function, and is a variable");
  EXPECT_EQ(app.ask("?"), "4 1");
}

TEST_F(Symbols, ACallOfAFunctionThatIsGoneSaysWhichAndEndsTheProgram) {
  const char* const both = "int foo(void) { return VALUE; }\nint bar(void) { return 10 * VALUE; }\n";
  library(both, 4);
  program("int foo(void); int bar(void);", "printf(\"%d\\n\", *line == 'b' ? bar() : foo());");
  conversation app({"--", "./app"}, here.directory());
  EXPECT_EQ(app.ask("b"), "40");
  library("int foo(void) { return VALUE; }\n", 5);
  app.hear("lacks bar now");
  app.hear("autoreload: loaded: ");
  EXPECT_EQ(app.ask("f"), "5");
  library(both, 6);
  app.hear("autoreload: loaded: ");
  EXPECT_EQ(app.ask("b"), "60");
  library("int foo(void) { return VALUE; }\n", 7);
  app.hear("autoreload: loaded: ");
  EXPECT_THROW(app.ask("b"), std::runtime_error);
  const int status = app.finish();
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
  EXPECT_NE(app.said().find("bar() was called"), std::string::npos) << app.said();
}

TEST_F(Symbols, AFunctionThatIsNewIsFoundByDlsymAndFollowsLaterBuilds) {
  library("int foo(void) { return VALUE; }\n", 4);
  program("#define _GNU_SOURCE\n#include <dlfcn.h>\nint foo(void);\nstatic int (*added)(void);",
          "void* lib = dlopen(\"libfoo.so\", RTLD_NOW); if (!added) added = (int (*)(void))dlsym(lib, \"added\");\n"
          "printf(\"%d %d\\n\", foo(), added ? added() : -1);");
  conversation app({"--", "./app"}, here.directory());
  EXPECT_EQ(app.ask("?"), "4 -1");
  library("int foo(void) { return VALUE; }\nint added(void) { return 10 * VALUE; }\n", 5);
  app.hear("autoreload: loaded: ");
  EXPECT_EQ(app.ask("?"), "5 50");
  library("int foo(void) { return VALUE; }\nint added(void) { return 10 * VALUE; }\n", 6);
  app.hear("autoreload: loaded: ");
  EXPECT_EQ(app.ask("?"), "6 60");
}

}  // namespace
