// SPDX-License-Identifier: MIT
// screen_test: `autoreload run` on a terminal, by keys, edits, signals and libraries that misbehave.
#include "program.hpp"
#include "terminal.hpp"

namespace {

using support::terminal;

class Screen : public testing::Test {
 protected:
  std::string library() const { return directory_ / "a library.so"; }
  void build(const std::string& source) const { support::build_library(library(), source, ""); }
  const support::temp_directory& directory() const { return directory_; }

  // A directory with a Makefile that builds lib.so.
  std::string project(const std::string& source) const {
    support::write_file(directory_ / "Makefile",
                        "lib.so: lib.c\n\tcc -g -shared -fPIC -o $@.new lib.c && mv $@.new $@\n");
    save(source);
    support::shell("make -C '" + directory_.path().string() + "'");
    return directory_ / "lib.so";
  }
  void save(const std::string& text) const {
    support::write_file(directory_ / "lib.c.new", text);
    std::filesystem::rename(directory_ / "lib.c.new", directory_ / "lib.c");
  }

 private:
  support::temp_directory directory_;
};

bool ended_well(int status) { return WIFEXITED(status) && WEXITSTATUS(status) == 0; }

TEST_F(Screen, ShowsWhatRunsTheValuesWhatChangedAndTheKeys) {
  build("int foo(int n) { return n + 1; } int rest(int a, int *rest) { *rest = a % 3; return a / 3; }");
  terminal screen({"run", library(), "foo(1)", "rest(7, &int)"});
  EXPECT_TRUE(screen.shows("a library.so  generation 1"));
  EXPECT_TRUE(screen.shows("foo(1)         2"));
  EXPECT_TRUE(screen.shows("rest(7, &int)  2"));
  EXPECT_TRUE(screen.shows("  rest         1"));
  EXPECT_TRUE(screen.shows("b build  h hold  r roll back  f fresh  q quit"));
  EXPECT_TRUE(screen.model().on_alternate());
  build("int foo(int n) { return n + 2; } int rest(int a, int *rest) { *rest = a % 3; return a / 3; }");
  EXPECT_TRUE(screen.shows("generation 2"));
  EXPECT_TRUE(screen.shows("foo(1)         3   was 2"));
  screen.type("q");
  EXPECT_TRUE(ended_well(screen.change()));
  EXPECT_TRUE(screen.as_before());
  EXPECT_EQ(screen.model().unknown(), "");
}

TEST_F(Screen, BuildsWhatIsSavedAndShowsTheCompilersErrorInItsLine) {
  if (std::getenv("AUTORELOAD_WITH_REBUILD") == nullptr) GTEST_SKIP() << "built without rebuilding";
  const std::string library = project("int foo(void) { return 1; }\n");
  terminal screen({"run", library, "foo()"});
  EXPECT_TRUE(screen.shows("foo()  1"));
  EXPECT_TRUE(screen.shows("rebuilt on save by make"));
  save("// one line before\nint foo(void) { return 2 }\n");
  EXPECT_TRUE(screen.shows("the build failed"));
  EXPECT_TRUE(screen.shows(" >     2 | int foo(void) { return 2 }"));
  EXPECT_TRUE(screen.shows("          |                         ^"));
  EXPECT_TRUE(screen.shows("foo()  1"));
  save("// one line before\nint foo(void) { return 3; }\n");
  EXPECT_TRUE(screen.shows("foo()  3   was 1"));
  EXPECT_TRUE(screen.hides("the build failed"));
  EXPECT_TRUE(screen.hides("return 2 }"));
  EXPECT_TRUE(screen.shows("after the save"));
}

TEST_F(Screen, BuildsAtAKeyStroke) {
  if (std::getenv("AUTORELOAD_WITH_REBUILD") == nullptr) GTEST_SKIP() << "built without rebuilding";
  const std::string library = project("int foo(void) { return 1; }\n");
  save("int foo(void) { return 2; }\n");
  terminal screen({"run", library, "foo()"});
  EXPECT_TRUE(screen.shows("rebuilt on save by make"));
  EXPECT_TRUE(screen.shows("foo()  1"));  // nothing was saved since the start
  screen.type("b");
  EXPECT_TRUE(screen.shows("foo()  2   was 1"));
}

TEST_F(Screen, HoldsRollsBackAndStartsAnew) {
  build("static int n; int count(void) { return ++n; }");
  terminal screen({"run", library(), "count()", "count() + 100"});
  EXPECT_TRUE(screen.shows("count()        1"));
  screen.type("h");
  EXPECT_TRUE(screen.shows("held"));
  build("static int n = 10; int count(void) { return ++n; }");
  EXPECT_TRUE(screen.shows("held: a newer build waits"));
  EXPECT_TRUE(screen.shows("count()        1"));
  screen.type("h");
  EXPECT_TRUE(screen.shows("generation 2"));
  EXPECT_TRUE(screen.shows("count()        11   was 1"));
  EXPECT_TRUE(screen.hides("held"));
  screen.type("r");
  EXPECT_TRUE(screen.shows("generation 1 of 2"));
  EXPECT_TRUE(screen.shows("count()        1   was 11"));
  EXPECT_TRUE(screen.shows("held: a newer build waits"));
  screen.type("r");
  EXPECT_TRUE(screen.shows("there is no earlier generation"));
  screen.type("h");  // the newest again
  EXPECT_TRUE(screen.shows("count()        11   was 1"));
  screen.type("f");
  EXPECT_TRUE(screen.shows("started anew"));
  EXPECT_TRUE(screen.shows("count()        11"));
}

TEST_F(Screen, StartsAnewWithItsVariablesAsTheyWereAtFirst) {
  build("static int n; int count(void) { return ++n; }");
  terminal screen({"run", library(), "count()", "--every", "10ms"});
  const auto counted = [](const support::screen_model& m) {
    const std::string text = m.text();
    const std::size_t at = text.find("count()  ");
    return at == std::string::npos ? -1 : std::atoi(text.c_str() + at + 9);
  };
  EXPECT_TRUE(screen.until([&](const auto& m) { return counted(m) > 30; }, "counts"));
  const int before = counted(screen.model());
  screen.type("f");
  EXPECT_TRUE(screen.until([&](const auto& m) { return counted(m) < before; }, "starts anew"));
}

TEST_F(Screen, KeepsStateForwardsAndBackwardsAndTellsIt) {
  if (std::getenv("AUTORELOAD_WITH_STATE") == nullptr) GTEST_SKIP() << "built without the carrier of variables";
  build("static int n; int count(void) { return ++n; }");
  terminal screen({"run", library(), "count()"});
  EXPECT_TRUE(screen.shows("count()  1"));
  build("static int n; static int more; int count(void) { ++more; return ++n * 10; }");
  EXPECT_TRUE(screen.shows("state: kept 1 of 2 variables"));
  EXPECT_TRUE(screen.shows("count()  20   was 1"));
  screen.type("r");
  EXPECT_TRUE(screen.shows("generation 1 of 2"));
  EXPECT_TRUE(screen.shows("count()  3   was 20"));
  screen.type("h");
  EXPECT_TRUE(screen.shows("count()  40   was 3"));
  screen.type("f");
  EXPECT_TRUE(screen.shows("count()  10   was 40"));
  EXPECT_TRUE(screen.hides("state:"));
}

TEST_F(Screen, OutlivesACrashAndShowsItsSourceLine) {
  build("int fine(void) { return 1; }\nint foo(int *p) { return *p; }\n");
  terminal screen({"run", library(), "fine()", "foo(NULL)"});
  EXPECT_TRUE(screen.shows("foo crashed: SIGSEGV in foo at a library.so.c:2, address NULL"));
  EXPECT_TRUE(screen.shows(" >     2 | int foo(int *p) { return *p; }"));
  EXPECT_TRUE(screen.shows("its process has ended"));
  build("int fine(void) { return 1; }\nint foo(int *p) { return p == 0; }\n");
  EXPECT_TRUE(screen.shows("foo(NULL)  1"));
  EXPECT_TRUE(screen.hides("crashed"));
}

TEST_F(Screen, TakesKeysWhileACallHangs) {
  build("#include <unistd.h>\nint foo(void) { for (;;) pause(); }");
  terminal screen({"run", library(), "foo()"});
  EXPECT_TRUE(screen.shows("runs for"));
  build("int foo(void) { return 4; }");  // a new build doesn't wait for the call
  EXPECT_TRUE(screen.shows("foo()  4"));
  build("#include <unistd.h>\nint foo(void) { for (;;) pause(); }\n");
  EXPECT_TRUE(screen.shows("runs for"));
  screen.type("q");
  EXPECT_TRUE(ended_well(screen.change()));
  EXPECT_TRUE(screen.as_before());
}

TEST_F(Screen, SaysWhenACallTakesLongerThanItsLimit) {
  build("#include <unistd.h>\nint foo(void) { for (;;) pause(); }");
  terminal screen({"run", library(), "foo()", "--limit", "300ms"});
  EXPECT_TRUE(screen.shows("foo did not come back within 300 ms"));
}

TEST_F(Screen, ShowsWhatTheLibraryPrintsAndStaysWhole) {
  build(
      "#include <stdio.h>\n"
      "void hello(void) { "
      "printf(\"plain\\n\\033[2J\\033[Hcleared\\n\\033]0;title\\ahidden\\n\\033[31mred\\033[0m\\n\"); }");
  terminal screen({"run", library(), "hello()"});
  EXPECT_TRUE(screen.shows("the library's output"));
  EXPECT_TRUE(screen.shows("red"));
  EXPECT_TRUE(screen.shows("cleared"));
  EXPECT_TRUE(screen.shows("plain"));
  EXPECT_TRUE(screen.shows("hello()  ✓"));
  EXPECT_TRUE(screen.shows("a library.so  generation 1"));
}

TEST_F(Screen, TakesKeysWhileTheLibraryFloodsItsOutput) {
  build("#include <stdio.h>\nint foo(void) { for (long i = 0;; ++i) printf(\"line %ld\\n\", i); }");
  terminal screen({"run", library(), "foo()"});
  EXPECT_TRUE(screen.shows("line 1"));
  screen.type("h");
  EXPECT_TRUE(screen.shows("held"));
  screen.type("q");
  EXPECT_TRUE(ended_well(screen.change()));
  EXPECT_TRUE(screen.as_before());
}

TEST_F(Screen, EndsWhatTheLibraryForkedAndIsNotHeldUpByIt) {
  const std::string mark = directory() / "child";
  build(
      "#include <unistd.h>\n#include <stdio.h>\n"
      "int foo(void) { int child = fork(); if (child == 0) for (;;) pause();\n"
      "  FILE *f = fopen(\"" +
      mark +
      ".new\", \"w\"); fprintf(f, \"%d\", child); fclose(f);\n"
      "  rename(\"" +
      mark + ".new\", \"" + mark + "\"); return 6; }");
  terminal screen({"run", library(), "foo()"});
  EXPECT_TRUE(screen.shows("foo()  6"));
  const pid_t child = std::atoi(support::read_file(mark).c_str());
  ASSERT_GT(child, 0);
  screen.type("q");
  EXPECT_TRUE(ended_well(screen.change()));
  const auto deadline = std::chrono::steady_clock::now() + support::patience;
  const auto gone = [&] {
    const std::string state = support::read_file("/proc/" + std::to_string(child) + "/stat");
    return state.empty() || state.find(") Z") != std::string::npos;
  };
  while (!gone() && std::chrono::steady_clock::now() < deadline) usleep(1000);
  EXPECT_TRUE(gone());
}

TEST_F(Screen, FitsWhateverSizeTheTerminalGets) {
  build("int foo(int n) { return n; }");
  terminal screen({"run", library(), "foo(1)", "foo(2)", "foo(3)"});
  EXPECT_TRUE(screen.shows("foo(3)  3"));
  EXPECT_NE(screen.model().row(23).find("q quit"), std::string::npos);
  screen.resize(120, 40);
  EXPECT_TRUE(
      screen.until([](const auto& m) { return m.row(39).find("q quit") != std::string::npos; }, "the keys below"));
  EXPECT_TRUE(screen.shows("foo(3)  3"));
  screen.resize(20, 6);
  EXPECT_TRUE(screen.until([](const auto& m) { return m.row(5).find("b build  h hold  r") == 1; }, "the keys below"));
  for (const auto& [columns, rows] : {std::pair{1, 1}, {2, 3}, {300, 2}, {8, 4}, {500, 200}, {80, 24}}) {
    screen.resize(columns, rows);
    screen.type("\f");
  }
  EXPECT_TRUE(
      screen.until([](const auto& m) { return m.row(23).find("q quit") != std::string::npos; }, "the keys below"));
  EXPECT_TRUE(screen.shows("foo(3)  3"));
}

TEST_F(Screen, LeavesTheTerminalAsItWasHoweverItEnds) {
  build("int foo(void) { return 1; }");
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) {
    terminal screen({"run", library(), "foo()"});
    EXPECT_TRUE(screen.shows("foo()  1"));
    screen.signal(signal);
    EXPECT_TRUE(ended_well(screen.change())) << signal;
    EXPECT_TRUE(screen.as_before()) << signal;
  }
  terminal screen({"run", library(), "foo()"});
  EXPECT_TRUE(screen.shows("foo()  1"));
  screen.type("\003");
  EXPECT_TRUE(ended_well(screen.change()));
  EXPECT_TRUE(screen.as_before());
}

TEST_F(Screen, LeavesTheTerminalAsItWasWhenItCrashesItself) {
  build("int foo(void) { return 1; }");
  for (const int signal : {SIGSEGV, SIGABRT}) {
    terminal screen({"run", library(), "foo()"});
    EXPECT_TRUE(screen.shows("foo()  1"));
    screen.signal(signal);
    const int status = screen.change();
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == signal);
    EXPECT_TRUE(screen.as_before());
  }
}

TEST_F(Screen, StopsAndGoesOnLikeAnyJob) {
  build("int foo(void) { return 1; }");
  terminal screen({"run", library(), "foo()"});
  EXPECT_TRUE(screen.shows("foo()  1"));
  screen.type("\032");  // Ctrl-Z
  EXPECT_TRUE(WIFSTOPPED(screen.change()));
  EXPECT_TRUE(screen.as_before());
  build("int foo(void) { return 2; }");
  screen.signal(SIGCONT);
  EXPECT_TRUE(screen.shows("foo()  2   was 1"));
  EXPECT_TRUE(screen.model().on_alternate());
  screen.signal(SIGSTOP);  // which can't be seen coming
  EXPECT_TRUE(WIFSTOPPED(screen.change()));
  screen.signal(SIGCONT);
  screen.type("q");
  EXPECT_TRUE(ended_well(screen.change()));
  EXPECT_TRUE(screen.as_before());
}

TEST_F(Screen, IsLinesWhereNoScreenCanBeShownAndWhereNoneIsWanted) {
  build("int foo(void) { return 1; }");
  terminal dumb({"run", library(), "foo()"}, 80, 24, {{"TERM", "dumb"}});
  EXPECT_TRUE(dumb.shows("foo() = 1"));
  EXPECT_EQ(dumb.bytes().find('\033'), std::string::npos);
  terminal lines({"run", library(), "foo()", "--lines"});
  EXPECT_TRUE(lines.shows("foo() = 1"));
  EXPECT_FALSE(lines.model().on_alternate());
}

TEST_F(Screen, HasNoColoursWhereNoneAreWantedAndNoLettersThatTheCharacterSetLacks) {
  build("const char *foo(void) { return \"\\xc3\\xa4\"; }");
  terminal plain({"run", library(), "foo()"}, 80, 24, {{"NO_COLOR", "1"}});
  EXPECT_TRUE(plain.shows("foo()  \"ä\""));
  EXPECT_FALSE(plain.model().coloured());
  terminal ascii({"run", library(), "foo()"}, 80, 24, {{"LC_ALL", "C"}});
  EXPECT_TRUE(ascii.shows("foo()"));
  EXPECT_TRUE(ascii.shows("q quit"));
  EXPECT_TRUE(std::all_of(ascii.bytes().begin(), ascii.bytes().end(), [](char c) { return (c & 0x80) == 0; }));
}

}  // namespace
