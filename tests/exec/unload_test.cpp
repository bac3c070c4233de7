// SPDX-License-Identifier: MIT
// unload_test: old builds leave a program that says nothing of when it is done with them, and none too early.
#include <gtest/gtest.h>

#include <string>

#include "conversation.hpp"
#include "workshop.hpp"

namespace {

using support::asked_program;
using support::conversation;
using support::number_library;
using support::number_program;
using support::workshop;

// A program that keeps what the library gave it, until it is told to drop that.
std::string keeping_program(const std::string& type, const std::string& use) {
  return asked_program("typedef " + type + ";\nkept_thing foo(void);\nstatic kept_thing kept;\n" +
                       "static void answer(const char* line) {\n  if (*line == 'k') kept = foo();\n" + "  " + use +
                       "\n  if (*line == 'd') kept = 0;\n}\n");
}

// Waits for the next build. @return its number, which depends on whether the agent had seen the one before
std::string loaded(conversation& app) {
  const std::string line = app.hear_line("autoreload: loaded: ");
  const std::string before = "generation ";
  const std::size_t at = line.find(before) + before.size();
  return line.substr(at, line.find(' ', at) - at);
}

std::string unloaded(const std::string& generation) { return "libfoo.so\": generation " + generation + "\n"; }

TEST(ExecUnload, ABuildLeavesWhenANewerOneHasTakenItsPlace) {
  workshop here;
  here.library(number_library(1));
  here.program(number_program());
  conversation app({"--", "./app"}, here.directory());
  EXPECT_EQ(app.ask("?"), "1");
  std::string before;
  for (int i = 2; i <= 6; ++i) {
    here.library(number_library(i));
    const std::string now = loaded(app);
    EXPECT_EQ(app.ask("?"), std::to_string(i));
    if (i > 2) app.hear(unloaded(before));
    before = now;
  }
  EXPECT_EQ(WEXITSTATUS(app.finish()), 7) << app.said();
}

TEST(ExecUnload, ItStaysAsLongAsTheProgramKeepsAFunctionOfIt) {
  const auto library = [](int value) {
    return "static int answer(void) { return " + std::to_string(value) +
           "; }\nint (*foo(void))(void) { return answer; }\n";
  };
  workshop here;
  here.library(library(1));
  here.program(keeping_program("int (*kept_thing)(void)", "printf(\"%d\\n\", kept ? kept() : 0);"));
  conversation app({"--", "./app"}, here.directory());
  EXPECT_EQ(app.ask("k"), "1");
  here.library(library(2));
  const std::string second = loaded(app);
  EXPECT_EQ(app.ask("k"), "2");
  here.library(library(3));
  (void)loaded(app);
  app.hear("variable kept of ");
  EXPECT_EQ(app.ask("?"), "2");
  EXPECT_EQ(app.ask("d"), "2");
  app.hear(unloaded(second));
  EXPECT_EQ(app.ask("k"), "3");
}

TEST(ExecUnload, ItStaysAsLongAsTheProgramKeepsATextOfIt) {
  const auto library = [](const std::string& text) { return "const char* foo(void) { return \"" + text + "\"; }\n"; };
  workshop here;
  here.library(library("one"));
  here.program(keeping_program("const char* kept_thing", "puts(kept ? kept : \"none\");"));
  conversation app({"--", "./app"}, here.directory());
  EXPECT_EQ(app.ask("k"), "one");
  here.library(library("two"));
  (void)loaded(app);
  EXPECT_EQ(app.ask("k"), "two");
  here.library(library("three"));
  app.hear("variable kept of ");
  EXPECT_EQ(app.ask("?"), "two");
  EXPECT_EQ(app.ask("k"), "three");
}

// The program steps through the stub, and stops where the table's address is in a register: the jump comes next.
TEST(ExecUnload, AThreadBetweenTheTwoInstructionsOfAStubKeepsTheBuildThatItIsAboutToEnter) {
  workshop here;
  here.library(number_library(1));
  here.program(
      asked_program(
          "#define _GNU_SOURCE\n#include <pthread.h>\n#include <signal.h>\n#include <ucontext.h>\n#include <unistd.h>\n"
          "int foo(void);\nstatic volatile int stopped, result; static int go[2]; static pthread_t thread;\n"
          "static void step(int number, siginfo_t* info, void* at) {\n"
          "  (void)number; (void)info; const unsigned char* pc = (void*)((ucontext_t*)at)->uc_mcontext.gregs[16];\n"
          "  if (stopped || pc[0] != 0x41 || pc[1] != 0xff || pc[2] != 0xa3) return;\n"
          "  stopped = 1; char c; if (read(go[0], &c, 1) != 1) abort(); }\n"
          "static void* run(void* none) {\n"
          "  __asm__ volatile(\"pushf; orl $0x100, (%%rsp); popf\" ::: \"memory\", \"cc\");\n  result = foo();\n"
          "  __asm__ volatile(\"pushf; andl $~0x100, (%%rsp); popf\" ::: \"memory\", \"cc\");\n  return none; }\n"
          "static void answer(const char* line) {\n"
          "  struct sigaction how = {.sa_sigaction = step, .sa_flags = SA_SIGINFO}; sigaction(SIGTRAP, &how, 0);\n"
          "  if (*line == 's') { if (pipe(go)) abort(); pthread_create(&thread, 0, run, 0);\n"
          "    while (!stopped) usleep(1000); puts(\"stopped\"); }\n"
          "  if (*line == 'g') { if (write(go[1], \"g\", 1) != 1) abort(); pthread_join(thread, 0);\n"
          "    printf(\"%d\\n\", result); }\n  if (*line == '?') printf(\"%d\\n\", foo()); }\n"),
      "-L. -lfoo -pthread -mno-red-zone");
  conversation app({"--", "./app"}, here.directory());
  EXPECT_EQ(app.ask("?"), "1");
  here.library(number_library(2));
  const std::string second = loaded(app);
  EXPECT_EQ(app.ask("start"), "stopped");
  here.library(number_library(3));
  (void)loaded(app);
  app.hear("generation " + second + ": somebody may come back to it: thread ");
  EXPECT_EQ(app.ask("?"), "3");
  EXPECT_EQ(app.ask("go"), "2");
  app.hear(unloaded(second));
  EXPECT_EQ(app.ask("?"), "3");
}

// A program that keeps a pointer into the library, from `k` to `d`, where only a look at more than memory finds it.
void expect_seen(const std::string& program, const std::string& words) {
  const auto library = [](int value) {
    return "static int here = " + std::to_string(value) + ";\nint* foo(void) { return &here; }\n";
  };
  workshop here;
  here.library(library(1));
  here.program(asked_program(program));
  conversation app({"--", "./app"}, here.directory());
  EXPECT_EQ(app.ask("?"), "1");
  here.library(library(2));
  const std::string second = loaded(app);
  EXPECT_EQ(app.ask("k"), "2");
  here.library(library(3));
  app.hear(words);
  EXPECT_EQ(app.ask("d"), "3");
  app.hear(unloaded(second));
}

TEST(ExecUnload, DataThatTheKernelKeepsForEpollIsSeen) {
  expect_seen(
      "#include <sys/epoll.h>\n#include <unistd.h>\nint* foo(void);\nstatic int queue = -1, ends[2];\n"
      "static void __attribute__((noinline)) watch(void) { struct epoll_event one = {EPOLLIN, {foo()}}; pipe(ends);\n"
      "  epoll_ctl(queue = epoll_create1(0), EPOLL_CTL_ADD, ends[0], &one); }\n"
      "static void __attribute__((noinline)) clear(void) { volatile char room[4096]; memset((char*)room, 0, sizeof "
      "room); }\n"
      "static void answer(const char* line) {\n  if (*line == 'k') { watch(); clear(); }\n"
      "  if (*line == 'd') close(queue);\n  printf(\"%d\\n\", *foo()); }\n",
      "(epoll) leads to it");
}

TEST(ExecUnload, APointerInSharedMemoryIsSeen) {
  expect_seen(
      "#include <sys/mman.h>\nint* foo(void);\nstatic int** shared;\n"
      "static void answer(const char* line) {\n"
      "  if (!shared) shared = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);\n"
      "  if (*line == 'k') *shared = foo();\n  if (*line == 'd') *shared = 0;\n  printf(\"%d\\n\", *foo()); }\n",
      "shared memory");
}

TEST(ExecUnload, ALibraryWithMuchDebugInformationLeavesLikeAnother) {
  // Its sections are read after it was taken over.
  const auto library = [](int value) {
    return "__asm__(\".section .debug_much,\\\"\\\",@progbits\\n.zero 400000\\n.text\");\n" + number_library(value);
  };
  workshop here;
  here.library(library(1));
  here.program(number_program());
  conversation app({"--", "./app"}, here.directory());
  EXPECT_EQ(app.ask("?"), "1");
  here.library(library(2));
  const std::string second = loaded(app);
  here.library(library(3));
  app.hear(unloaded(second));
  EXPECT_EQ(app.ask("?"), "3");
}

TEST(ExecUnload, ALibraryWithADestructorStaysAndThatIsSaid) {
  const auto library = [](int value) {
    return "int ended;\n__attribute__((destructor)) static void end(void) { ++ended; }\n" + number_library(value);
  };
  workshop here;
  here.library(library(1));
  here.program(
      asked_program("extern int ended;\nint foo(void);\nstatic void answer(const char* line) { (void)line; "
                    "printf(\"%d ended %d\\n\", foo(), ended); }\n"));
  conversation app({"--", "./app"}, here.directory());
  EXPECT_EQ(app.ask("?"), "1 ended 0");
  here.library(library(2));
  app.hear("is not unloaded when a newer build comes: it has destructors");
  const std::string second = loaded(app);
  here.library(number_library(3) + "int ended;\n");
  const std::string third = loaded(app);
  here.library(number_library(4) + "int ended;\n");
  app.hear(unloaded(third));
  EXPECT_EQ(app.ask("?"), "4 ended 0");
  EXPECT_EQ(app.said().find(unloaded(second)), std::string::npos) << app.said();
}

TEST(ExecUnload, NoneLeavesIfAllAreToBeKept) {
  workshop here;
  here.library(number_library(1));
  here.program(number_program());
  conversation app({"--keep-old", "--", "./app"}, here.directory());
  for (int i = 2; i <= 4; ++i) {
    here.library(number_library(i));
    (void)loaded(app);
    EXPECT_EQ(app.ask("?"), std::to_string(i));
  }
  app.hear("3 newer builds than the first are loaded");
}

// Each call is of one build, whose parts agree; what a thread is inside of must not leave under it.
TEST(ExecUnload, BuildsComeAndLeaveUnderThreadsThatCallAllTheTime) {
  const auto source = [](int value) {
    const std::string text = std::to_string(value);
    return "static const int table[] = {" + text + ", " + text +
           "};\n__attribute__((noinline)) static int deep(int n) "
           "{ return n ? deep(n - 1) : table[1]; }\nint one(void) { return table[0]; }\n"
           "int both(void) { return deep(50) - table[0]; }\n";
  };
  workshop here;
  here.library(source(0));
  here.program(support::calling_program(), "-L. -lfoo -pthread");
  conversation app({"--", "./app"}, here.directory());
  EXPECT_EQ(app.ask("start"), "0 0");
  for (int i = 1; i <= 30; ++i) {
    here.library(source(i));
    (void)loaded(app);
    if (i % 10 == 0) app.hear("unloaded: ");
  }
  EXPECT_EQ(app.ask("end"), "30 0");
  for (int i = 0; i < 10; ++i) app.hear("unloaded: ");
  EXPECT_EQ(app.ask("?"), "30 0");
  EXPECT_EQ(WEXITSTATUS(app.finish()), 7) << app.said();
}

}  // namespace
