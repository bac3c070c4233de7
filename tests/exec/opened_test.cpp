// SPDX-License-Identifier: MIT
// opened_test: libraries that a program opens at run time, by dlopen and by Python's ctypes.
#include <gtest/gtest.h>

#include <cstdlib>

#include "conversation.hpp"
#include "workshop.hpp"

namespace {

using support::asked_program;
using support::conversation;
using support::workshop;

std::string library_of(int value) {
  return "int count = 0;\nint foo(void) { ++count; return " + std::to_string(value) +
         "; }\nint counted(void) { return count; }\n";
}

const char* const opening_program =
    "#define _GNU_SOURCE\n#include <dlfcn.h>\nstatic void* lib; static int (*foo)(void); static int* count;\n"
    "static void answer(const char* line) {\n"
    "  if (!lib) { lib = dlopen(OPENED, RTLD_NOW | FLAGS); foo = (int (*)(void))dlsym(lib, \"foo\"); count = "
    "(int*)dlsym(lib, \"count\"); }\n"
    "  int (*counted)(void) = (int (*)(void))dlsym(lib, \"counted\"); (void)line;\n"
    "  int value = foo(); int calls = counted(); printf(\"%d %d %d\\n\", value, *count, calls); }\n";

class Opened : public ::testing::TestWithParam<const char*> {};

TEST_P(Opened, APluginAndItsVariablesGoOnWithTheNewBuild) {
  workshop here;
  here.library(library_of(4));
  here.program(asked_program(opening_program), std::string("-DOPENED='\"./libfoo.so\"' -DFLAGS=") + GetParam());
  conversation app({"--", "./app"}, here.directory());
  EXPECT_EQ(app.ask("?"), "4 1 1");
  here.library(library_of(5));
  app.hear("autoreload: loaded: ");
  EXPECT_EQ(app.ask("?"), "5 2 2");
  EXPECT_EQ(WEXITSTATUS(app.finish()), 7) << app.said();
}
INSTANTIATE_TEST_SUITE_P(Flags, Opened, ::testing::Values("RTLD_LOCAL", "RTLD_GLOBAL"));

TEST(OpenedByName, ALibraryOfLdLibraryPathIsOne) {
  workshop here;
  here.library(library_of(4));
  here.program(asked_program(std::string("#define OPENED \"libfoo.so\"\n#define FLAGS 0\n") + opening_program), "", "");
  conversation app({"--", "./app"}, here.directory(), {"LD_LIBRARY_PATH=" + here.directory()});
  EXPECT_EQ(app.ask("?"), "4 1 1");
  here.library(library_of(5));
  app.hear("autoreload: loaded: ");
  EXPECT_EQ(app.ask("?"), "5 2 2");
}

TEST(OpenedElsewhere, ALibraryThatWasNamedByARelativePathIsOneInAnyDirectory) {
  workshop here;
  here.library(library_of(4));
  here.program(
      asked_program("#include <unistd.h>\n#include <dlfcn.h>\n__attribute__((constructor)) static void leave(void) { "
                    "if (chdir(\"/\") != 0) _exit(1); }\n#define OPENED \"" +
                    here.directory() + "/libfoo.so\"\n#define FLAGS 0\n" + opening_program),
      "", "");
  conversation app({"--lib", "./libfoo.so", "--", "./app"}, here.directory());
  EXPECT_EQ(app.ask("?"), "4 1 1");
  here.library(library_of(5));
  app.hear("autoreload: loaded: ");
  EXPECT_EQ(app.ask("?"), "5 2 2");
}

TEST(OpenedByAWrapper, AProgramThatHasADlopenOfItsOwnOpensItsLibraryOnce) {
  workshop here;
  here.library(library_of(4));
  const std::string wrapper =
      "#define _GNU_SOURCE\n#include <dlfcn.h>\nvoid* dlopen(const char* name, int flags) {\n"
      "  return ((void* (*)(const char*, int))dlsym(RTLD_NEXT, \"dlopen\"))(name, flags); }\n"
      "#define OPENED \"./libfoo.so\"\n#define FLAGS 0\n";
  here.program(asked_program(wrapper + opening_program), "-rdynamic", "");
  conversation app({"--", "./app"}, here.directory());
  EXPECT_EQ(app.ask("?"), "4 1 1");
  here.library(library_of(5));
  app.hear("autoreload: loaded: ");
  EXPECT_EQ(app.ask("?"), "5 2 2");
}

TEST(OpenedTwice, ItIsOneLibraryAndClosingItChangesNothing) {
  workshop here;
  here.library(library_of(4));
  here.program(asked_program("#include <dlfcn.h>\nstatic void answer(const char* line) { (void)line;\n"
                             "  void* a = dlopen(\"./libfoo.so\", RTLD_NOW); void* b = "
                             "dlopen(\"libfoo.so.c/../libfoo.so\" + 13, RTLD_NOW);\n"
                             "  int (*foo)(void) = (int (*)(void))dlsym(a, \"foo\"); int* count = (int*)dlsym(b, "
                             "\"count\"); int now = foo();\n"
                             "  printf(\"%d %d %d\\n\", now, *count, a == b); dlclose(a); dlclose(b); }\n"),
               "");
  conversation app({"--", "./app"}, here.directory());
  EXPECT_EQ(app.ask("?"), "4 1 1");
  EXPECT_EQ(app.ask("?"), "4 2 1");
  here.library(library_of(5));
  app.hear("autoreload: loaded: ");
  EXPECT_EQ(app.ask("?"), "5 3 1");
}

TEST(OpenedInAChild, WhatItsParentOpenedIsThereAsItWas) {
  workshop here;
  here.library(library_of(4));
  here.program(
      asked_program("#include <dlfcn.h>\n#include <unistd.h>\n#include <sys/wait.h>\n"
                    "static int run(void) { void* lib = dlopen(\"./libfoo.so\", RTLD_NOW); return ((int "
                    "(*)(void))dlsym(lib, \"foo\"))(); }\n"
                    "static void answer(const char* line) { (void)line; int own = run(); fflush(stdout);\n"
                    "  if (fork() == 0) { int value = run(); void* lib = dlopen(\"./libfoo.so\", RTLD_NOW);\n"
                    "    printf(\"%d %d %d\\n\", own, value, *(int*)dlsym(lib, \"count\")); exit(0); } wait(0); }\n"),
      "");
  conversation app({"--", "./app"}, here.directory());
  EXPECT_EQ(app.ask("?"), "4 4 2");
  here.library(library_of(5));
  app.hear("autoreload: loaded: ");
  EXPECT_EQ(app.ask("?"), "5 5 3");
}

TEST(OpenedInVain, TheLoadersOwnErrorIsTheAnswer) {
  workshop here;
  here.program(
      asked_program(
          "#include <dlfcn.h>\nstatic void answer(const char* line) { dlopen(line, RTLD_NOW); puts(dlerror()); }\n"),
      "");
  conversation app({"--", "./app"}, here.directory());
  EXPECT_NE(app.ask("./absent.so").find("cannot open shared object file"), std::string::npos);
  support::write_file(here / "text.so", "no library\n");
  EXPECT_NE(app.ask("./text.so").find("./text.so"), std::string::npos);
}

TEST(OpenedByPython, AScriptGetsTheNewBuildByCtypes) {
  if (std::system("/usr/bin/python3 -c 'import ctypes'") != 0) GTEST_SKIP() << "there is no /usr/bin/python3";
  workshop here;
  here.library(library_of(4));
  support::write_file(here / "script.py",
                      "import ctypes, sys\nlib = ctypes.CDLL('./libfoo.so')\n"
                      "for line in sys.stdin:\n"
                      "    print(lib.foo(), ctypes.c_int.in_dll(lib, 'count').value, hasattr(lib, 'added') and "
                      "lib.added(), flush=True)\n");
  conversation app({"--", "/usr/bin/python3", "script.py"}, here.directory());
  EXPECT_EQ(app.ask("?"), "4 1 False");
  here.library(library_of(5) + "int added(void) { return 50; }\n");
  app.hear("autoreload: loaded: ");
  EXPECT_EQ(app.ask("?"), "5 2 50");
}

TEST(OpenedThreadLocal, ALibraryThatExportsOneIsLeftAloneAndThatIsSaid) {
  workshop here;
  here.library("__thread int count;\nint foo(void) { return 4; }\nint counted(void) { return ++count; }\n");
  here.program(asked_program(opening_program), "-DOPENED='\"./libfoo.so\"' -DFLAGS=0");
  conversation app({"--", "./app"}, here.directory());
  EXPECT_EQ(app.ask("?"), "4 1 1");
  app.hear("thread-local variable `count`");
}

}  // namespace
