// SPDX-License-Identifier: MIT
// repl_test: `autoreload repl` at a terminal and from a pipe, with a library that is edited and misbehaves.
#include "program.hpp"
#include "terminal.hpp"

namespace {

using support::terminal;

class Repl : public testing::Test {
 protected:
  std::string library() const { return directory_ / "a library.so"; }
  void build(const std::string& source) const { support::build_library(library(), source, ""); }
  const support::temp_directory& directory() const { return directory_; }
  std::string history() const { return directory_ / "history"; }
  std::vector<std::string> words() const { return {"repl", library(), "--history", history()}; }

  /// The lines as they come from a pipe.
  support::ran feed(const std::string& lines) const {
    support::write_file(directory_ / "lines", lines);
    return support::autoreload({"repl", library()}, {}, directory_ / "lines");
  }

 private:
  support::temp_directory directory_;
};

const char* const shapes =
    "struct point { int x, y; };\n"
    "struct shape { struct point at; double radius; const char *name; };\n"
    "enum color { RED, GREEN = 5 };\n"
    "struct shape unit = {{1, 2}, 1.5, \"unit\"};\n"
    "double area(struct shape s) { return s.radius * s.radius * 3; }\n"
    "int divide(int a, int b, int *rest) { *rest = a % b; return a / b; }\n"
    "struct shape *find(void) { return &unit; }\n"
    "enum color next(enum color c) { return c == RED ? GREEN : RED; }\n";

bool ended_well(int status) { return WIFEXITED(status) && WEXITSTATUS(status) == 0; }

TEST_F(Repl, WritesOneLineForEachResultWhenItReadsFromAPipe) {
  build(shapes);
  const support::ran ran =
      feed("area(unit)\ndivide(7, 2, &int)\n\n// a remark\n$2 + $3;\nunit.at.x = 9\nfind()->at\n:quit\narea(unit)\n");
  EXPECT_EQ(ran.out, "6.75\n3\n1\n4\n9\n{.x = 9, .y = 2}\n");
  EXPECT_EQ(ran.status, 0) << ran.err;
}

TEST_F(Repl, GoesOnAfterWhatIsWrongAndSaysSoByItsExitStatus) {
  build(shapes);
  const support::ran wrong = feed("area(1)\ndivide(6, 2, &int)\n");
  EXPECT_EQ(wrong.out, "3\n0\n");
  EXPECT_EQ(wrong.status, 1);
  EXPECT_NE(wrong.err.find("argument 1 of \"area\""), std::string::npos) << wrong.err;
  EXPECT_NE(wrong.err.find("  area(1)\n       ^\n"), std::string::npos) << wrong.err;
  const support::ran crash = feed("divide(1, 2, NULL)\ndivide(6, 2, &int)\n");
  EXPECT_EQ(crash.out, "3\n0\n");
  EXPECT_EQ(crash.status, 3);
  EXPECT_NE(crash.err.find("divide crashed: SIGSEGV in divide at a library.so.c:6"), std::string::npos) << crash.err;
}

TEST_F(Repl, DescribesTypesNamesAndSources) {
  build(shapes);
  const support::ran ran = feed(
      ":type divide\n:type unit.at\n:type struct point\n:type enum color\n:list ar\n:source divide\n:time divide(4, 2, "
      "&int)\n");
  EXPECT_EQ(ran.status, 0) << ran.err;
  EXPECT_NE(ran.out.find("int divide(int a, int b, int *rest)\nstruct point\nstruct point {\n  int x;  // at 0\n"
                         "  int y;  // at 4\n}, 8 bytes\nenum color {\n  RED = 0,\n  GREEN = 5,\n}, 4 bytes\n"
                         "double area(struct shape s)\n"),
            std::string::npos)
      << ran.out;
  EXPECT_NE(ran.out.find("a library.so.c:6\nint divide(int a, int b, int *rest) { *rest = a % b; return a / b; }\n"),
            std::string::npos)
      << ran.out;
  EXPECT_NE(ran.out.find("2\n0\ntook "), std::string::npos) << ran.out;
}

TEST_F(Repl, RefusesWhatItCanNotDescribe) {
  build(shapes);
  const support::ran ran = feed(
      ":type\n:type struct none\n:type 1 +\n:list zzz\n:source\n:source unit\n:diff\n:back\n:d\n:nothing\n:time\n:time "
      "area(\n");
  EXPECT_EQ(ran.out, "");
  EXPECT_EQ(ran.status, 1);
  for (const char* const part : {":type wants", "no struct none", "nothing has \"zzz\"", ":source wants a function",
                                 "no function \"unit\"", "no build before", "no command :nothing", ":time wants"}) {
    EXPECT_NE(ran.err.find(part), std::string::npos) << part << "\n" << ran.err;
  }
}

TEST_F(Repl, NumbersResultsAtAPrompt) {
  build(shapes);
  terminal prompt(words());
  EXPECT_TRUE(prompt.shows("\n>"));
  prompt.type("divide(7, 2, &int)\r");
  EXPECT_TRUE(prompt.shows("$1 = 3"));
  EXPECT_TRUE(prompt.shows("$2 (rest) = 1"));
  prompt.type("$1 * 10\r");
  EXPECT_TRUE(prompt.shows("$3 = 30"));
  prompt.type("\004");  // Ctrl-D
  EXPECT_TRUE(ended_well(prompt.change()));
  EXPECT_TRUE(prompt.as_before());
  EXPECT_EQ(prompt.model().unknown(), "");
}

TEST_F(Repl, LoadsWhatIsBuiltWhileItWaitsAndKeepsTheLineThatIsTyped) {
  build("int foo(int n) { return n + 1; }");
  terminal prompt(words());
  EXPECT_TRUE(prompt.shows("generation 1"));
  prompt.type("foo(1");
  EXPECT_TRUE(prompt.shows("> foo(1"));
  build("int foo(int n) { return n + 20; }");
  EXPECT_TRUE(prompt.shows("generation 2"));
  prompt.type(")\r");
  EXPECT_TRUE(prompt.shows("> foo(1)"));
  EXPECT_TRUE(prompt.shows("$1 = 21"));
  prompt.type(":back\r");
  EXPECT_TRUE(
      prompt.until([](const auto& m) { return m.text().find("1\n> :back\n") != std::string::npos; }, "goes back"));
  prompt.type("foo(1)\r");
  EXPECT_TRUE(prompt.shows("$1 = 2\n"));
}

TEST_F(Repl, KeepsWhatWasSetUntilItIsStartedAnew) {
  if (std::getenv("AUTORELOAD_WITH_STATE") == nullptr) GTEST_SKIP() << "built without the carrier of variables";
  build("int n; const char *name = \"nobody\"; int foo(void) { return n; }");
  terminal prompt(words());
  EXPECT_TRUE(prompt.shows("generation 1"));
  prompt.type("n = 5\rname = \"somebody\"\r");
  EXPECT_TRUE(prompt.shows("\"somebody\""));
  build("int n; const char *name = \"nobody\"; int foo(void) { return n + 100; }");
  EXPECT_TRUE(prompt.shows("kept 2 of 2 variables"));
  prompt.type("foo()\r");
  EXPECT_TRUE(prompt.shows("$1 = 105"));
  prompt.type("name\r");
  EXPECT_TRUE(prompt.shows("$2 = \"somebody\""));  // what an expression made lives on, too
  prompt.type(":fresh\r");
  EXPECT_TRUE(prompt.shows("started anew"));
  prompt.type("foo()\r");
  EXPECT_TRUE(prompt.shows("$1 = 100"));
}

TEST_F(Repl, SaysWhatABuildChanged) {
  build("struct point { int x; }; int foo(struct point p) { return p.x; } int old(void) { return 1; }");
  terminal prompt(words());
  EXPECT_TRUE(prompt.shows("generation 1"));
  build("struct point { int x; int y; }; int foo(struct point p) { return p.x; }");
  EXPECT_TRUE(prompt.shows("generation 2"));
  prompt.type(":diff\r");
  EXPECT_TRUE(prompt.shows("difference: old: removed"));
  EXPECT_TRUE(prompt.shows("struct point"));
}

TEST_F(Repl, RebuildsWhenASourceIsSaved) {
  if (std::getenv("AUTORELOAD_WITH_REBUILD") == nullptr) GTEST_SKIP() << "built without rebuilding";
  support::write_file(directory() / "Makefile",
                      "lib.so: lib.c\n\tcc -g -shared -fPIC -o $@.new lib.c && mv $@.new $@\n");
  support::write_file(directory() / "lib.c", "int foo(void) { return 1; }\n");
  terminal prompt({"repl", directory() / "lib.so", "--history", history(), "--build"}, 150);
  EXPECT_TRUE(prompt.shows("generation 1"));
  support::write_file(directory() / "lib.c", "int foo(void) { return }\n");
  EXPECT_TRUE(prompt.shows("build failed: lib.c:1:"));
  support::write_file(directory() / "lib.c", "int foo(void) { return 4; }\n");
  EXPECT_TRUE(prompt.shows("after lib.c was saved"));
  prompt.type("foo()\r");
  EXPECT_TRUE(prompt.shows("$1 = 4"));
}

TEST_F(Repl, OutlivesACrashAndACallThatHangs) {
  build(
      "#include <unistd.h>\nint n;\nint poke(int *p) { return *p; }\nint hang(void) { write(1, \"inside\\n\", 7); for "
      "(;;) pause(); }\nint fine(void) { return ++n; }\n");
  terminal prompt(words());
  EXPECT_TRUE(prompt.shows("generation 1"));
  prompt.type("fine()\rpoke(NULL)\r");
  EXPECT_TRUE(prompt.shows("poke crashed: SIGSEGV in poke at a library.so.c:3, address NULL"));
  EXPECT_TRUE(prompt.shows("started anew"));
  prompt.type("hang()\r");
  EXPECT_TRUE(prompt.shows("inside"));  // a Ctrl-C before the line is read would take the line away
  prompt.type("\003");
  EXPECT_TRUE(prompt.shows("was interrupted"));
  prompt.type("fine() + 40\r");
  EXPECT_TRUE(prompt.shows("$1 = 41"));  // results and variables begin anew
  prompt.type("fine() + 500");
  EXPECT_TRUE(prompt.shows("> fine() + 500"));
  prompt.type("\003");  // gives up the line
  EXPECT_TRUE(prompt.shows("500^C"));
  prompt.type("fine()\r");
  EXPECT_TRUE(prompt.shows("$2 = 2"));
}

TEST_F(Repl, ShowsWhatTheLibraryPrintsAboveTheLine) {
  build("#include <stdio.h>\nvoid hello(void) { printf(\"printed by it\\n\"); }");
  terminal prompt(words());
  EXPECT_TRUE(prompt.shows("generation 1"));
  prompt.type("hello()\r");
  EXPECT_TRUE(prompt.shows("\nprinted by it\n"));
}

class EditedRepl : public Repl {
 protected:
  void SetUp() override {
    if (std::getenv("AUTORELOAD_WITH_LIBEDIT") == nullptr) GTEST_SKIP() << "built without libedit";
  }
};

TEST_F(EditedRepl, CompletesFunctionsVariablesFieldsConstantsAndTags) {
  build(shapes);
  terminal prompt(words());
  EXPECT_TRUE(prompt.shows("generation 1"));
  const auto completes = [&](const std::string& typed, const std::string& line) {
    prompt.type(typed);
    const testing::AssertionResult well = prompt.shows(line);
    prompt.type("\003");
    EXPECT_TRUE(prompt.shows(line + "^C"));
    return well;
  };
  EXPECT_TRUE(completes("div\t", "> divide("));
  EXPECT_TRUE(completes("un\tt.a\t", "> unit.at")) << "un is union, too";
  EXPECT_TRUE(completes("unit.rad\t", "> unit.radius"));
  EXPECT_TRUE(completes("find()->na\t", "> find()->name"));
  EXPECT_TRUE(completes("area((struct sh\t){.ra\t", "> area((struct shape){.radius"));
  EXPECT_TRUE(completes("GR\t", "> GREEN"));
  EXPECT_TRUE(completes(":so\t fi\t", "> :source find("));
  prompt.type("unit.\t");  // several
  EXPECT_TRUE(prompt.shows("at      name    radius"));
}

TEST_F(EditedRepl, KeepsAHistoryFromOneRunToTheNext) {
  build(shapes);
  {
    terminal prompt(words());
    EXPECT_TRUE(prompt.shows("generation 1"));
    prompt.type("unit.at.x + 1000\r");
    EXPECT_TRUE(prompt.shows("$1 = 1001"));
    prompt.type(":quit\r");
    EXPECT_TRUE(ended_well(prompt.change()));
  }
  terminal prompt(words());
  EXPECT_TRUE(prompt.shows("generation 1"));
  prompt.type("\033[A\033[A\r");  // up: :quit, and up again
  EXPECT_TRUE(prompt.shows("$1 = 1001"));
}

TEST_F(EditedRepl, StopsGoesOnAndFollowsTheTerminalsSize) {
  build(shapes);
  terminal prompt(words());
  EXPECT_TRUE(prompt.shows("generation 1"));
  prompt.type("unit.at");
  EXPECT_TRUE(prompt.shows("> unit.at"));
  prompt.type("\032");
  EXPECT_TRUE(WIFSTOPPED(prompt.change()));
  EXPECT_TRUE(prompt.as_before());
  prompt.signal(SIGCONT);
  prompt.type(".y\r");
  EXPECT_TRUE(prompt.shows("$1 = 2"));
  prompt.resize(30, 10);
  prompt.type("unit.at.x + unit.at.y + unit.at.x\r");  // longer than a line
  EXPECT_TRUE(prompt.shows("$2 = 4"));
  for (const int signal : {SIGTERM}) {
    prompt.signal(signal);
    EXPECT_TRUE(ended_well(prompt.change()));
    EXPECT_TRUE(prompt.as_before());
  }
}

}  // namespace
