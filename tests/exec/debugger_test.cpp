// SPDX-License-Identifier: MIT
// debugger_test: gdb's breakpoint in a library is hit in the stand-in, and in the newer build.
#include <gtest/gtest.h>

#include <cstdlib>

#include "workshop.hpp"

namespace {

using support::workshop;

TEST(ExecUnderGdb, ABreakpointInALibraryIsHitBeforeAndAfter) {
  if (std::system("gdb --version > /dev/null 2>&1") != 0) GTEST_SKIP() << "there is no gdb";
  const auto source = [](int value) {
    const std::string text = std::to_string(value);
    return "int foo(void) { return " + text + "; }\nint marker(int x) { static int build = " + text +
           "; return x + build; }\n";
  };
  workshop here;
  here.library(source(4));
  // The second call of marker() comes when the new build is there.
  here.program(
      "#include <unistd.h>\nint foo(void); int marker(int);\n"
      "int main(void) { int x = marker(1); while (foo() == 4) usleep(1000); return marker(x); }\n");
  support::write_file(here / "later.c", source(5));
  support::write_file(here / "commands",
                      "set pagination off\nset breakpoint pending on\nset debuginfod enabled off\n"
                      "break libfoo.so.c:marker\nbreak later.c:marker\nrun\nbacktrace 1\nprint build\n"
                      "shell " +
                          std::string(std::getenv("AUTORELOAD_TEST_CC")) +
                          " -g -shared -fPIC -o new.so later.c -Wl,-soname,libfoo.so && mv new.so libfoo.so\n"
                          "continue\nbacktrace 1\nprint build\nkill\n");
  const std::string said =
      support::shell("cd '" + here.directory() + "' && timeout 100 gdb -q -nx -batch -x commands --args '" +
                     std::string(std::getenv("AUTORELOAD_COMMAND")) + "' exec -- ./app");
  EXPECT_NE(said.find("#0  marker (x=1) at libfoo.so.c:2"), std::string::npos) << said;
  EXPECT_NE(said.find("$1 = 4"), std::string::npos) << said;
  EXPECT_NE(said.find("#0  marker (x=5) at later.c:2"), std::string::npos) << said;
  EXPECT_NE(said.find("$2 = 5"), std::string::npos) << said;
}

}  // namespace
