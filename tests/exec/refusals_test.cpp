// SPDX-License-Identifier: MIT
// refusals_test: what can't run with stand-ins is said before anything runs, with a way out.
#include <gtest/gtest.h>

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "../command/program.hpp"
#include "conversation.hpp"
#include "workshop.hpp"

namespace {

using support::autoreload;
using support::conversation;
using support::number_library;
using support::number_program;
using support::ran;
using support::workshop;

void expect_refusal(const ran& came, const std::string& reason, const std::string& advice) {
  EXPECT_EQ(came.status, 1);
  EXPECT_EQ(came.out, "");
  EXPECT_NE(came.err.find(reason), std::string::npos) << came.err;
  EXPECT_NE(came.err.find(advice), std::string::npos) << came.err;
}

TEST(ExecRefuses, AStaticProgram) {
  workshop here;
  support::write_file(here / "app.c", "int main(void) { return 0; }\n");
  here.compile("-static -o app app.c");
  expect_refusal(autoreload({"exec", "--", "./app"}, here.directory()), "statically", "without -static");
}

TEST(ExecRefuses, ASetUserIdProgramOfAnothersAndRunsACopy) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can make one";
  workshop here;
  here.library("int foo(void) { return 4; }\n");
  here.program(number_program());
  ASSERT_EQ(chown((here / "app").c_str(), 65534, 65534), 0);
  ASSERT_EQ(chmod((here / "app").c_str(), 04755), 0);
  expect_refusal(autoreload({"exec", "--", "./app"}, here.directory()), "set-user-ID", "cp \"./app\" ./app");
}

TEST(ExecRefuses, A32BitProgram) {
  workshop here;
  here.library("int foo(void) { return 4; }\n");
  here.program(number_program());
  std::string bytes = support::read_file(here / "app");
  bytes[4] = 1;  // EI_CLASS: as compilers for 32 bits are rarely installed
  support::write_file(here / "app", bytes);
  expect_refusal(autoreload({"exec", "--", "./app"}, here.directory()), "32-bit", "build it for 64 bits");
}

TEST(ExecRefuses, AProgramOfMusls) {
  workshop here;
  support::write_file(here / "app.c", "int main(void) { return 0; }\n");
  here.compile("-o app app.c -Wl,--dynamic-linker=/lib/ld-musl-x86_64.so.1");
  expect_refusal(autoreload({"exec", "--", "./app"}, here.directory()), "musl", "glibc");
}

TEST(ExecRefuses, AProgramWhoseAddressSanitizerMustBeItsFirstLibrary) {
  workshop here;
  // Only its name counts, so that the test needs no sanitizer.
  here.library("int run_time(void) { return 0; }\n", {}, "libasan.so.8");
  support::write_file(here / "app.c", "int run_time(void);\nint main(void) { return run_time(); }\n");
  here.compile("-o app app.c ./libasan.so.8");
  expect_refusal(autoreload({"exec", "--", "./app"}, here.directory()), "libasan.so.8, which must be the first",
                 "-static-libasan");
}

TEST(ExecRefuses, AScriptOfAShells) {
  workshop here;
  support::write_file(here / "app", "#!/bin/sh\nexec true\n");
  std::filesystem::permissions(here / "app", std::filesystem::perms::owner_all);
  expect_refusal(autoreload({"exec", "--", "./app"}, here.directory()), "a script that sh runs",
                 "name the program itself");
}

TEST(ExecRefuses, AProgramThatIsNotThere) {
  workshop here;
  expect_refusal(autoreload({"exec", "--", "./absent"}, here.directory()), "no such program", "PATH");
}

TEST(ExecRefuses, ALogThatCantBeWritten) {
  workshop here;
  here.library(number_library(1));
  here.program(number_program());
  expect_refusal(autoreload({"exec", "--log", "absent/said.txt", "--", "./app"}, here.directory()),
                 "absent/said.txt: the log can't be written", "No such file or directory");
}

TEST(ExecRefuses, ALibraryThatExportsClassesUnlessItIsAskedFor) {
  const char* const classes =
      "__attribute__((visibility(\"default\"))) void* _ZTV3Foo[3];\nint foo(void) { return VALUE; }\n";
  workshop here;
  here.library(classes, "-DVALUE=4");
  here.program(number_program());
  {
    conversation app({"--", "./app"}, here.directory());
    EXPECT_EQ(app.ask("?"), "4");
    app.hear("exports C++ classes");
    app.hear("--lib libfoo.so takes it anyway");
  }
  conversation app({"--lib", "libfoo.so", "--", "./app"}, here.directory());
  EXPECT_EQ(app.ask("?"), "4");
  here.library(classes, "-DVALUE=5");
  app.hear("autoreload: loaded: ");
  EXPECT_EQ(app.ask("?"), "5");
}

TEST(ExecSays, ThatALibraryHasStateOfItsOwn) {
  workshop here;
  here.library("static char pool[4096];\nint foo(void) { return ++pool[5]; }\n");
  here.program(number_program());
  conversation app({"--", "./app"}, here.directory());
  EXPECT_EQ(app.ask("?"), "1");
  app.hear("bytes of variables of its own, which start anew");
  app.hear("start the program with --state to carry them over");
}

std::string remembering(int build) {
  return "#include <stdlib.h>\nint* shared;\nstatic int* kept;\nstatic int made;\nint foo(void) { shared = malloc(8);\n"
         "  if (made) kept = shared; made = 1; return " +
         std::to_string(build) + " + (kept != 0); }\n";
}

// Few bytes, but they lead to a handle or a pool.
TEST(ExecSays, ThatALibraryHasAllocatedWhatANewBuildDoesNotKnow) {
  for (const bool allocated : {false, true}) {
    workshop here;
    here.library(remembering(1));
    here.program(number_program());
    conversation app({"--", "./app"}, here.directory());
    EXPECT_EQ(app.ask("?"), "1");
    if (allocated) {
      EXPECT_EQ(app.ask("?"), "2");
    }
    here.library(remembering(2));
    app.hear("autoreload: loaded: ");
    EXPECT_EQ(app.ask("?"), "2");
    app.finish();
    const bool said = app.said().find("has 1 pointer to allocated memory in variables of its own") != std::string::npos;
    EXPECT_EQ(said, allocated) << app.said();
  }
}

TEST(ExecSays, NothingOfThatWhenItIsCarriedOver) {
  workshop here;
  here.library("static char pool[4096];\nint foo(void) { return ++pool[5]; }\n");
  here.program(number_program());
  conversation app({"--state", "--", "./app"}, here.directory());
  EXPECT_EQ(app.ask("?"), "1");
  app.finish();
  EXPECT_EQ(app.said().find("bytes of variables"), std::string::npos) << app.said();
}

TEST(ExecRefuses, NothingOfAScriptWhoseInterpreterIsAProgram) {
  workshop here;
  here.library("int foo(void) { return 4; }\n");
  here.program(
      "#include <stdio.h>\nint foo(void);\nint main(int count, char** words) { printf(\"%d %d %s\\n\", foo(), count, "
      "words[1]); return 0; }\n");
  support::write_file(here / "script", "#!" + (here / "app") + "\n");
  std::filesystem::permissions(here / "script", std::filesystem::perms::owner_all);
  conversation app({"--", "./script"}, here.directory());
  EXPECT_EQ(app.next_line(), "4 2 ./script");
}

}  // namespace
