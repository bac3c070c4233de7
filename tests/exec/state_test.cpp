// SPDX-License-Identifier: MIT
// state_test: with --state a library's own variables go on in the next build, in a program that says nothing of when it
// is inside.
#include <gtest/gtest.h>

#include <string>

#include "conversation.hpp"
#include "workshop.hpp"

namespace {

using support::asked_program;
using support::conversation;
using support::number_program;
using support::workshop;

std::string counting(int build) {
  return "static int calls;\nint foo(void) { return " + std::to_string(build) + "000 + ++calls; }\n";
}

TEST(ExecState, AStaticVariableGoesOn) {
  workshop here;
  here.library(counting(1));
  here.program(number_program());
  conversation app({"--state", "--", "./app"}, here.directory());
  EXPECT_EQ(app.ask("?"), "1001");
  for (int build = 2; build <= 5; ++build) {
    here.library(counting(build));
    app.hear("autoreload: loaded: ");
    app.hear("kept 1 of 1 variables");
    EXPECT_EQ(app.ask("?"), std::to_string(build * 1000 + build));
  }
  EXPECT_EQ(WEXITSTATUS(app.finish()), 7) << app.said();
}

TEST(ExecState, WithoutItAndWithFreshAStaticVariableStartsAnew) {
  for (const bool said : {false, true}) {
    workshop here;
    here.library(counting(1));
    here.program(number_program());
    std::vector<std::string> words{"--", "./app"};
    if (said) words.insert(words.begin(), "--fresh");
    conversation app(words, here.directory());
    EXPECT_EQ(app.ask("?"), "1001");
    here.library(counting(2));
    app.hear("autoreload: loaded: ");
    EXPECT_EQ(app.ask("?"), "2001");
  }
}

TEST(ExecState, StateAndFreshExcludeEachOther) {
  workshop here;
  conversation app({"--state", "--fresh", "--", "./app"}, here.directory());
  EXPECT_EQ(WEXITSTATUS(app.finish()), 2);
  EXPECT_NE(app.said().find("--fresh"), std::string::npos) << app.said();
}

TEST(ExecState, AnExportedVariableIsSharedAndNotCarried) {
  const auto library = [](int build) {
    return "int shared = 5;\nstatic int* kept = &shared;\nstatic int calls;\n"
           "int foo(void) { ++calls; ++*kept; return kept == &shared ? " +
           std::to_string(build) + "00 + calls : -1; }\n";
  };
  workshop here;
  here.library(library(1));
  here.program(
      asked_program("int foo(void);\nextern int shared;\n"
                    "static void answer(const char* line) { if (*line == 's') shared = 40;\n"
                    "  int value = foo(); printf(\"%d %d\\n\", value, shared); }\n"));
  conversation app({"--state", "--", "./app"}, here.directory());
  EXPECT_EQ(app.ask("?"), "101 6");
  here.library(library(2));
  app.hear("kept 2 of 2 variables");
  EXPECT_EQ(app.ask("s"), "202 41");
  here.library(library(3));
  app.hear("kept 2 of 2 variables");
  EXPECT_EQ(app.ask("?"), "303 42");
}

// The program alone knows of the handle: no variable of the library's leads to it.
TEST(ExecState, AHandleThatTheProgramKeepsLeadsIntoTheNewBuild) {
  const auto library = [](int build) {
    return "#include <stdlib.h>\nstatic int sum;\nstatic int add(int by) { sum += by; return " + std::to_string(build) +
           "00 + sum; }\nstatic const char* const names[] = {\"zero\", \"one\"};\nstatic int table[4] = {1, 2, 3, 4};\n"
           "struct handle { int (*run)(int); int* entry; const char* const* name; };\n"
           "struct handle* make(void) { struct handle* h = malloc(sizeof *h); h->run = add; h->entry = &table[2]; "
           "h->name = &names[1]; return h; }\n"
           "int use(struct handle* h) { ++*h->entry; return h->run(table[2]) + (h->name == &names[1] ? 0 : 5000); }\n";
  };
  workshop here;
  here.library(library(1));
  here.program(
      asked_program("struct handle; struct handle* make(void); int use(struct handle*); static struct handle* kept;\n"
                    "static void answer(const char* line) { (void)line; if (!kept) kept = make();\n"
                    "  printf(\"%d\\n\", use(kept)); }\n"));
  conversation app({"--state", "--", "./app"}, here.directory());
  EXPECT_EQ(app.ask("?"), "104");
  int build = 1;
  for (const char* const answer : {"209", "315", "422"}) {
    here.library(library(++build));
    app.hear("pointers set to the new build");
    EXPECT_EQ(app.ask("?"), answer);
  }
  app.hear("autoreload: unloaded: ");
  EXPECT_EQ(WEXITSTATUS(app.finish()), 7) << app.said();
}

// `i`: a thread goes into the library, and waits there in the program's own function; `o`: it comes out.
const char* const visiting_program =
    "#include <pthread.h>\n#include <unistd.h>\nint foo(void); int visit(int (*wait)(void));\n"
    "static int in[2], out[2]; static pthread_t thread; static int visited;\n"
    "static int wait_there(void) { char c = 'i'; if (write(in[1], &c, 1) != 1 || read(out[0], &c, 1) != 1) abort(); "
    "return 1; }\n"
    "static void* run(void* none) { visited = visit(wait_there); return none; }\n"
    "static void answer(const char* line) { char c = 'o';\n"
    "  if (*line == 'i') { if (pipe(in) || pipe(out)) abort(); pthread_create(&thread, 0, run, 0);\n"
    "    if (read(in[0], &c, 1) != 1) abort(); puts(\"inside\"); return; }\n"
    "  if (*line == 'o') { if (write(out[1], &c, 1) != 1) abort(); pthread_join(thread, 0);\n"
    "    printf(\"%d\\n\", visited); return; }\n"
    "  printf(\"%d\\n\", foo()); }\n";

std::string visited_library(int build) {
  return counting(build) +
         "static __attribute__((noinline)) int stay(int (*wait)(void)) { int before = calls; return "
         "before + wait() + calls; }\nint visit(int (*wait)(void)) { return 10 * stay(wait); }\n";
}

TEST(ExecState, AThreadThatIsInsideHoldsItUpAndIsNamed) {
  workshop here;
  here.library(visited_library(1));
  here.program(asked_program(visiting_program), "-L. -lfoo -pthread");
  conversation app({"--state", "--", "./app"}, here.directory());
  EXPECT_EQ(app.ask("?"), "1001");
  EXPECT_EQ(app.ask("in"), "inside");
  here.library(visited_library(2));
  app.hear("autoreload: waiting: handover: ");
  app.hear("is still inside, in stay()");
  EXPECT_EQ(app.ask("?"), "1002");
  EXPECT_EQ(app.ask("out"), "40") << "it was in one build, whose variables were its own";
  app.hear("autoreload: loaded: ");
  EXPECT_EQ(app.ask("?"), "2003");
}

// What calls that have returned left behind lies in a frame that is in use.
TEST(ExecState, WhatReturnedCallsLeftOnAStackHoldsNothingUp) {
  const auto library = [](int build) {
    return counting(build) + "__attribute__((noinline)) int deep(int n) { return n ? deep(n - 1) + 1 : foo(); }\n";
  };
  workshop here;
  here.library(library(1));
  here.program(
      "#include <stdio.h>\n#include <unistd.h>\nint deep(int n);\n"
      "static __attribute__((noinline)) void ask(void) { printf(\"%d\\n\", deep(200)); fflush(stdout); }\n"
      "static __attribute__((noinline)) int rest(void) { char room[8192]; __asm__ volatile(\"\" :: \"r\"(room) : "
      "\"memory\");\n  int got = (int)read(0, room, 1); if (got == 1 && room[0] == '\\n') return 1; return got; }\n"
      "int main(void) { for (int n = 1;; ) { ask(); n = rest(); if (n <= 0) return 7; rest(); } }\n");
  conversation app({"--state", "--", "./app"}, here.directory());
  EXPECT_EQ(app.next_line(), "1201");
  here.library(library(2));
  app.hear("autoreload: loaded: ");
  EXPECT_EQ(app.said().find("waiting"), std::string::npos) << app.said();
  EXPECT_EQ(app.ask("?"), "2202");
}

// Eight numbers and eight fractions, in registers and on the stack, and a list of unknown length.
TEST(ExecState, CallsThatWaitHaveAllTheirArgumentsAndNoneIsLost) {
  const auto library = [](int build) {
    return "#include <stdarg.h>\nint build = " + std::to_string(build) +
           ";\nstatic long calls;\n"
           "long take(int a, int b, int c, int d, int e, int f, int g, int h, double i, double j, double k, double l, "
           "double m, double n, double o, double p, double q) { __atomic_fetch_add(&calls, 1, __ATOMIC_RELAXED);\n"
           "  return a == 1 && b == 2 && c == 3 && d == 4 && e == 5 && f == 6 && g == 7 && h == 8 && i == .1 && j == "
           ".2 "
           "&& k == .3 && l == .4 && m == .5 && n == .6 && o == .7 && p == .8 && q == .9; }\n"
           "long list(int count, ...) { va_list all; va_start(all, count); double sum = 0; while (count--) sum += "
           "va_arg(all, double); va_end(all); __atomic_fetch_add(&calls, 1, __ATOMIC_RELAXED); return sum == 6; }\n"
           "long total(void) { return calls; }\nint number(void) { return " +
           std::to_string(build) + "; }\n";
  };
  workshop here;
  here.library(library(1));
  here.program(
      asked_program(
          "#include <pthread.h>\nlong take(int, int, int, int, int, int, int, int, double, double, double, double, "
          "double, double, double, double, double); long list(int, ...); long total(void); int number(void);\n"
          "static volatile int stop, wrong; static long made[3]; static pthread_t threads[3];\n"
          "static void* run(void* at) { while (!stop) { if (!take(1, 2, 3, 4, 5, 6, 7, 8, .1, .2, .3, .4, .5, .6, .7, "
          ".8, .9) || !list(3, 1., 2., 3.)) wrong = 1; *(long*)at += 2; } return 0; }\n"
          "static void answer(const char* line) { long sum = 0;\n"
          "  if (*line == 's') for (int i = 0; i < 3; ++i) pthread_create(threads + i, 0, run, made + i);\n"
          "  if (*line == 'e') { stop = 1; for (int i = 0; i < 3; ++i) pthread_join(threads[i], 0);\n"
          "    for (int i = 0; i < 3; ++i) sum += made[i]; }\n"
          "  printf(\"%d %d %d\\n\", number(), wrong, *line == 'e' && sum != total()); }\n"),
      "-L. -lfoo -pthread");
  conversation app({"--state", "--", "./app"}, here.directory());
  EXPECT_EQ(app.ask("start"), "1 0 0");
  for (int build = 2; build <= 20; ++build) {
    here.library(library(build));
    app.hear("autoreload: loaded: ");
    app.hear("kept 1 of 1 variables");
  }
  EXPECT_EQ(app.ask("end"), "20 0 0");
  EXPECT_EQ(WEXITSTATUS(app.finish()), 7) << app.said();
}

TEST(ExecState, AChildThatIsForkedAtAnyTimeGoesOn) {
  const auto many = [](int build) {
    return "static int calls;\nint foo(void) { return " + std::to_string(build) + "000000 + ++calls; }\n";
  };
  workshop here;
  here.library(many(1));
  here.program(
      asked_program("#include <sys/wait.h>\n#include <unistd.h>\n#include <pthread.h>\nint foo(void);\n"
                    "static volatile int stop, wrong; static pthread_t thread;\n"
                    "static void* run(void* none) { while (!stop) { int before = foo(); pid_t child = fork();\n"
                    "    if (child == 0) _exit(foo() % 1000000 > before % 1000000 ? 3 : 1);\n"
                    "    int status = 0; waitpid(child, &status, 0); if (WEXITSTATUS(status) != 3) wrong = 1; }\n"
                    "  return none; }\n"
                    "static void answer(const char* line) {\n"
                    "  if (*line == 's') pthread_create(&thread, 0, run, 0);\n"
                    "  if (*line == 'e') { stop = 1; pthread_join(thread, 0); }\n"
                    "  printf(\"%d %d\\n\", foo() / 1000000, wrong); }\n"),
      "-L. -lfoo -pthread");
  conversation app({"--state", "--", "./app"}, here.directory());
  EXPECT_EQ(app.ask("start"), "1 0");
  for (int build = 2; build <= 10; ++build) {
    here.library(many(build));
    app.hear("autoreload: loaded: ");
  }
  EXPECT_EQ(app.ask("end"), "10 0");
}

TEST(ExecState, ABuildWithoutDebugInformationIsRefusedAndTheVariablesGoOn) {
  workshop here;
  here.library(counting(1));
  here.program(number_program());
  conversation app({"--state", "--", "./app"}, here.directory());
  EXPECT_EQ(app.ask("?"), "1001");
  here.library(counting(2), "-g0");
  app.hear("it has no debug information (-g)");
  EXPECT_EQ(app.ask("?"), "1002");
  here.library(counting(3));
  app.hear("autoreload: loaded: ");
  EXPECT_EQ(app.ask("?"), "3003");
}

const char* const stepping_program =
    "int begin(void); int step(int);\n"
    "static void answer(const char* line) { printf(\"%d\\n\", *line == 'b' ? begin() : step(5)); }\n";

std::string counting_steps(int build) {
  const std::string number = std::to_string(build);
  return "static int calls;\nint begin(void) { ++calls; return " + number +
         "; }\nint step(int by) { ++calls; return 1000 * " + number + " + 10 * calls + by; }\n";
}

TEST(ExecState, AtABoundaryTheCallThatBeginsItWaitsForTheVariables) {
  workshop here;
  here.library(counting_steps(1));
  here.program(asked_program(stepping_program));
  conversation app({"--state", "--at", "begin", "--", "./app"}, here.directory());
  EXPECT_EQ(app.ask("begin"), "1");
  for (int build = 2; build <= 5; ++build) {
    here.library(counting_steps(build));
    app.hear("the next call of begin() takes it over");
    EXPECT_EQ(app.ask("step"), std::to_string(1000 * (build - 1) + 10 * (3 * build - 4) + 5));
    EXPECT_EQ(app.ask("begin"), std::to_string(build));
    EXPECT_EQ(app.ask("step"), std::to_string(1000 * build + 10 * (3 * build - 2) + 5));
    app.hear("autoreload: loaded: ");
  }
  EXPECT_EQ(WEXITSTATUS(app.finish()), 7) << app.said();
}

TEST(ExecState, AtABoundaryABuildThatIsTakenBackHoldsNoCallUp) {
  workshop here;
  here.library(counting_steps(1));
  here.program(asked_program(stepping_program));
  conversation app({"--state", "--at", "begin", "--", "./app"}, here.directory());
  EXPECT_EQ(app.ask("begin"), "1");
  here.library(counting_steps(2));
  app.hear("the next call of begin() takes it over");
  support::write_file(here / "libfoo.so", "this is no library\n");
  app.hear("autoreload: refused: ");
  EXPECT_EQ(app.ask("begin"), "1");
  EXPECT_EQ(app.ask("step"), "1035");
  here.library(counting_steps(3));
  app.hear("the next call of begin() takes it over");
  EXPECT_EQ(app.ask("begin"), "3");
  EXPECT_EQ(app.ask("step"), "3055");
}

}  // namespace
