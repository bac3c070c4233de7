// SPDX-License-Identifier: MIT
// run_test: `autoreload run` while its library is edited, broken, and crashes.
#include <csignal>
#include <optional>

#include "program.hpp"

namespace {

using support::patience;

// The command as a child whose outputs are one stream of lines.
class running_command {
 public:
  explicit running_command(const std::vector<std::string>& words) {
    const char* const program = std::getenv("AUTORELOAD_COMMAND");
    if (program == nullptr) throw std::runtime_error("AUTORELOAD_COMMAND names no program");
    std::vector<std::string> texts{program, "run"};
    texts.insert(texts.end(), words.begin(), words.end());
    std::vector<char*> arguments;
    for (std::string& text : texts) arguments.push_back(text.data());
    arguments.push_back(nullptr);
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe");
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO);
    const int code = posix_spawn(&process_, program, &actions, nullptr, arguments.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    output_ = autoreload::unique_fd(ends[0]);
    if (code != 0) throw std::runtime_error("posix_spawn");
  }
  running_command(const running_command&) = delete;
  running_command& operator=(const running_command&) = delete;
  ~running_command() {
    if (process_ <= 0) return;
    kill(process_, SIGKILL);
    waitpid(process_, nullptr, 0);
  }

  /// Reads up to a line that contains this.
  testing::AssertionResult says(const std::string& part) {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (const auto line = next(deadline)) {
      if (line->find(part) != std::string::npos) return testing::AssertionSuccess();
    }
    return testing::AssertionFailure() << "never said: " << part << "\n" << all_;
  }
  int wait() {
    int status = 0;
    waitpid(process_, &status, 0);
    process_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }
  void signal(int number) const { kill(process_, number); }
  /// Nobody reads what it says from now on.
  void leave() { output_ = autoreload::unique_fd(); }
  const std::string& all() const { return all_; }

 private:
  std::optional<std::string> next(std::chrono::steady_clock::time_point deadline) {
    for (;;) {
      if (const std::size_t end = buffer_.find('\n'); end != std::string::npos) {
        std::string line = buffer_.substr(0, end);
        buffer_.erase(0, end + 1);
        return line;
      }
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
      pollfd file{output_.get(), POLLIN, 0};
      if (left.count() <= 0 || poll(&file, 1, static_cast<int>(left.count())) <= 0) return std::nullopt;
      std::array<char, 4096> part;
      const ssize_t got = read(output_.get(), part.data(), part.size());
      if (got <= 0) return std::nullopt;
      buffer_.append(part.data(), static_cast<std::size_t>(got));
      all_.append(part.data(), static_cast<std::size_t>(got));
    }
  }

  pid_t process_ = -1;
  autoreload::unique_fd output_;
  std::string buffer_;
  std::string all_;
};

class Run : public testing::Test {
 protected:
  /// For a test that builds itself: the command would build from the same source, too, and replace what the test puts
  /// in the place of the library.
  static std::vector<std::string> by_hand(std::vector<std::string> words) {
    words.emplace_back("--no-build");
    return words;
  }
  std::string library() const { return directory_ / "a library.so"; }
  void build(const std::string& source, const std::string& flags = "") const {
    support::build_library(library(), source, flags);
  }
  const support::temp_directory& directory() const { return directory_; }

 private:
  support::temp_directory directory_;
};

TEST_F(Run, EvaluatesAtEachNewBuildAndSaysWhatChanged) {
  build("int foo(int n) { return n + 1; }");
  running_command command(by_hand({library(), "foo(1)", "--generations", "2"}));
  EXPECT_TRUE(command.says("loaded " + library() + ", generation 1"));
  EXPECT_TRUE(command.says("foo(1) = 2"));
  build("int foo(int n) { return n + 2; }");
  EXPECT_TRUE(command.says("generation 2"));
  EXPECT_TRUE(command.says("foo(1) = 3 (was 2)"));
  EXPECT_EQ(command.wait(), 0);
}

TEST_F(Run, GoesOnWhenTheLibraryCrashesHangsOrIsBroken) {
  build("int foo(void) { return *(volatile int *)0; }");
  running_command command(by_hand({library(), "foo()", "--limit", "500ms"}));
  EXPECT_TRUE(command.says("foo crashed: SIGSEGV in foo at a library.so.c:1, address NULL"));
  build("#include <unistd.h>\nint foo(void) { for (;;) pause(); }");
  EXPECT_TRUE(command.says("foo did not come back within 500 ms"));
  build("int nowhere(void); int foo(void) { return nowhere(); }");
  EXPECT_TRUE(command.says("undefined symbol: nowhere"));
  support::write_file(library() + ".new", "no library at all\n");
  std::filesystem::rename(library() + ".new", library());
  EXPECT_TRUE(command.says("text file"));
  build("long foo(void) { return 7; }");
  EXPECT_TRUE(command.says("foo() = 7"));
  command.signal(SIGINT);
  EXPECT_EQ(command.wait(), 0);
}

TEST_F(Run, WaitsForALibraryThatIsNotThereYet) {
  running_command command(by_hand({library(), "foo()"}));
  EXPECT_TRUE(command.says("there is no such file"));
  build("int foo(void) { return 5; }");
  EXPECT_TRUE(command.says("foo() = 5"));
}

TEST_F(Run, FindsALibraryByTheNameThatTheLoaderKnows) {
  running_command command({"libm.so.6", "sqrt(16)", "--header", "math.h", "--generations", "1"});
  EXPECT_TRUE(command.says("sqrt(16) = 4.0"));
  EXPECT_EQ(command.wait(), 0);
}

// A FUSE mount whose files are changed from the other side, as a network file system's by another machine.
TEST_F(Run, PollsWhereTheKernelTellsOfNothing) {
  if (std::system("command -v bindfs > /dev/null 2>&1") != 0)
    GTEST_SKIP() << "bindfs is not installed (Debian package)";
  const std::filesystem::path there = directory().path() / "there", here = directory().path() / "here";
  std::filesystem::create_directory(there);
  std::filesystem::create_directory(here);
  support::build_library(there / "lib.so", "int foo(void) { return 1; }");
  if (std::system(("bindfs '" + there.string() + "' '" + here.string() + "' 2> /dev/null").c_str()) != 0) {
    GTEST_SKIP() << "no FUSE file system can be mounted here";
  }
  {
    running_command command(by_hand({here / "lib.so", "foo()"}));
    EXPECT_TRUE(command.says("foo() = 1"));
    support::build_library(there / "lib.so", "int foo(void) { return 2; }");
    EXPECT_TRUE(command.says("foo() = 2 (was 1)"));
  }
  support::shell("fusermount -u -z '" + here.string() + "' || umount -l '" + here.string() + "'");
}

// As in `autoreload run --lines lib.so 'f()' | head -1`.
TEST_F(Run, EndsWhenNobodyReadsItsLinesAnyMore) {
  build("int foo(void) { return 1; }");
  running_command command(by_hand({library(), "foo()", "--every", "20ms", "--lines"}));
  EXPECT_TRUE(command.says("foo() = 1"));
  command.leave();
  EXPECT_EQ(command.wait(), -SIGPIPE);
}

TEST_F(Run, EvaluatesInBetweenInTheSameProcess) {
  build("int count(void) { static int n; return ++n; }");
  running_command command(by_hand({library(), "count()", "--every", "20ms"}));
  EXPECT_TRUE(command.says("count() = 1"));
  EXPECT_TRUE(command.says("count() = 2"));
  EXPECT_TRUE(command.says("count() = 3"));
}

TEST_F(Run, SaysWhatNoLongerFitsAfterAnEdit) {
  build("int foo(int n) { return n; }");
  running_command command(by_hand({library(), "foo(1)"}));
  EXPECT_TRUE(command.says("foo(1) = 1"));
  build("int foo(int n, int m) { return n + m; }");
  EXPECT_TRUE(command.says("\"foo\" takes 2 arguments, not 1"));
  EXPECT_TRUE(command.says("int foo(int n, int m)"));
}

TEST_F(Run, RebuildsWhenASourceIsSavedAndShowsTheCompilersErrors) {
  if (std::getenv("AUTORELOAD_WITH_REBUILD") == nullptr) GTEST_SKIP() << "built without rebuilding";
  const std::string source = directory() / "lib.c";
  const auto save = [&](const std::string& text) {
    support::write_file(source + ".new", text);
    std::filesystem::rename(source + ".new", source);
  };
  save("int foo(void) { return 1; }\n");
  support::write_file(directory() / "Makefile",
                      "lib.so: lib.c\n\tcc -g -shared -fPIC -o $@.new lib.c && mv $@.new $@\n");
  running_command command({directory() / "lib.so", "foo()", "--build"});
  EXPECT_TRUE(command.says("foo() = 1"));
  save("int foo(void) { return 2 }\n");
  EXPECT_TRUE(command.says("lib.c:1:"));
  save("int foo(void) { return 3; }\n");
  EXPECT_TRUE(command.says("after lib.c was saved"));
  EXPECT_TRUE(command.says("foo() = 3 (was 1)"));
  command.signal(SIGTERM);
  EXPECT_EQ(command.wait(), 0);
}

TEST_F(Run, AdvisesWhatACommandLineCanSay) {
  if (std::getenv("AUTORELOAD_WITH_REBUILD") == nullptr) GTEST_SKIP() << "built without rebuilding";
  build("int foo(void) { return 1; }", "-g0");
  running_command command({library(), "foo()", "--header", "absent.h", "--build"});
  EXPECT_TRUE(command.says("name the command and its directory by --build-command and --build-directory"));
  std::filesystem::permissions(library(), std::filesystem::perms(0777));
  running_command untrusting(by_hand({library(), "foo()"}));
  EXPECT_TRUE(untrusting.says("everybody may write to it"));
  EXPECT_TRUE(untrusting.says("chmod o-w"));
  EXPECT_EQ(untrusting.all().find("::"), std::string::npos) << untrusting.all();
}

TEST_F(Run, BuildsByAnyCommandThatAShellRuns) {
  if (std::getenv("AUTORELOAD_WITH_REBUILD") == nullptr) GTEST_SKIP() << "built without rebuilding";
  build("int foo(void) { return 1; }");
  running_command command({library(), "foo()", "--build-command",
                           "cc -g -shared -fPIC -o 'a library.so' 'a library.so.c' && touch built", "--build-directory",
                           directory().path().string()});
  EXPECT_TRUE(command.says("foo() = 1"));
  EXPECT_TRUE(command.says("built: "));  // at the start
  support::write_file(library() + ".c", "int foo(void) { return 2; }");
  EXPECT_TRUE(command.says("foo() = 2 (was 1)"));
  EXPECT_TRUE(std::filesystem::exists(directory() / "built"));
}

TEST_F(Run, SaysNothingOfALibraryThatIsAwayForAMoment) {
  build("int foo(void) { return 1; }");
  running_command command(by_hand({library(), "foo()", "--every", "50ms"}));
  EXPECT_TRUE(command.says("foo() = 1"));
  std::filesystem::rename(library(), library() + ".away");
  const auto left = std::chrono::steady_clock::now();
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(command.says("foo() = 1"));
  std::filesystem::rename(library() + ".away", library());  // as a build that makes the same again
  const bool briefly = std::chrono::steady_clock::now() - left < std::chrono::milliseconds(900);
  for (int i = 0; i < 40; ++i) EXPECT_TRUE(command.says("foo() = 1"));  // two seconds: it is said after one
  if (!briefly) GTEST_SKIP() << "this machine took more than that second itself";
  EXPECT_EQ(command.all().find("there is no such file"), std::string::npos) << command.all();
}

// Only where the carrier of variables was built in.
class RunWithState : public Run {
 protected:
  void SetUp() override {
    if (std::getenv("AUTORELOAD_WITH_STATE") == nullptr) GTEST_SKIP() << "built without the carrier of variables";
  }
};

const char* const list_of_numbers =
    "#include <stdlib.h>\n"
    "struct node { int value; struct node *next; };\n"
    "static struct node *first; static int count;\n"
    "int push(int v) { struct node *n = malloc(sizeof *n); n->value = v; n->next = first; first = n; return ++count; "
    "}\n"
    "int sum(void) { int s = 0; for (struct node *n = first; n; n = n->next) s += n->value; return s; }\n";

std::string edited(std::string text, const std::string& from, const std::string& to) {
  return text.replace(text.find(from), from.size(), to);
}

TEST_F(RunWithState, KeepsWhatTheLibraryRemembersAlsoWhenAStructGetsAField) {
  build(list_of_numbers);
  running_command command(by_hand({library(), "push(2)", "sum()"}));
  EXPECT_TRUE(command.says("sum() = 2"));
  build(edited(list_of_numbers, "s += n->value", "s += 10 * n->value"));
  EXPECT_TRUE(command.says("kept 2 of 2 variables"));
  EXPECT_TRUE(command.says("push(2) = 2 (was 1)"));
  EXPECT_TRUE(command.says("sum() = 40 (was 2)"));
  build(edited(list_of_numbers, "{ int value;", "{ double weight; int value;"));
  EXPECT_TRUE(command.says("`struct node.weight` is new"));
  EXPECT_TRUE(command.says("push(2) = 3 (was 2)"));
  EXPECT_TRUE(command.says("sum() = 6 (was 40)"));
}

TEST_F(RunWithState, StartsEachBuildAnewWhenAskedTo) {
  build(list_of_numbers);
  running_command command(by_hand({library(), "push(2)", "--fresh", "--generations", "2"}));
  EXPECT_TRUE(command.says("push(2) = 1"));
  build(edited(list_of_numbers, "s += n->value", "s += 10 * n->value"));
  EXPECT_TRUE(command.says("generation 2"));
  EXPECT_TRUE(command.says("push(2) = 1"));
  EXPECT_EQ(command.wait(), 0);
  EXPECT_EQ(command.all().find("kept"), std::string::npos) << command.all();
}

TEST_F(RunWithState, KeepsOpenFilesAndGoesOnForManyBuilds) {
  const std::string source =
      "#include <stdio.h>\nstatic FILE *log_file;\n"
      "long note(void) { if (!log_file) log_file = tmpfile(); fputs(\"x\", log_file); return ftell(log_file) + 0; }";
  build(source);
  running_command command(by_hand({library(), "note()"}));
  EXPECT_TRUE(command.says("note() = 1"));
  for (int i = 1; i <= 24; ++i) {  // more than are kept to roll back to
    build(edited(source, "+ 0", "+ " + std::to_string(1000 * i)));
    EXPECT_TRUE(command.says("note() = " + std::to_string(1000 * i + i + 1))) << i;
  }
}

TEST_F(RunWithState, SaysWhyABuildStartsAnew) {
  const std::string counted = "static int n; int count(void) { return ++n; }\n";
  build(counted);
  running_command command(by_hand({library(), "count()"}));
  EXPECT_TRUE(command.says("count() = 1"));
  // What the host may hold can't be moved.
  build(
      "#include <stdlib.h>\nstruct world { int x; }; static struct world *w; static int n;\n"
      "struct world *get(void) { return w; }\nint count(void) { if (!w) w = calloc(1, sizeof *w); return ++n; }");
  EXPECT_TRUE(command.says("count() = 2"));
  build(
      "#include <stdlib.h>\nstruct world { int x[100]; }; static struct world *w; static int n;\n"
      "struct world *get(void) { return w; }\nint count(void) { if (!w) w = calloc(1, sizeof *w); return ++n; }");
  EXPECT_TRUE(command.says("note: started anew: struct world has another layout"));
  EXPECT_TRUE(command.says("count() = 1"));
  build(
      "#include <pthread.h>\n#include <unistd.h>\nstatic int n; static pthread_t t;\n"
      "static void *sleeper(void *p) { for (;;) pause(); return p; }\n"
      "int count(void) { if (!t) pthread_create(&t, 0, sleeper, 0); return ++n; }",
      "-pthread");
  EXPECT_TRUE(command.says("count() = 2"));
  build(counted);
  EXPECT_TRUE(command.says("note: started anew: the library has threads"));
  EXPECT_TRUE(command.says("count() = 1"));
}

TEST_F(RunWithState, TheLibrarysOwnFunctionsTakePart) {
  const std::string source =
      "#include <stdlib.h>\nstatic int *kept __attribute__((section(\".autoreload.fresh\")));\nstatic int told "
      "__attribute__((section(\".autoreload.fresh\")));\n"
      "void *autoreload_save(void) { return kept; }\n"
      "int autoreload_restore(void *p) { kept = p; return 0; }\n"
      "void autoreload_loaded(void) { told = 100; }\n"
      "int next(void) { if (!kept) kept = calloc(1, sizeof *kept); return ++*kept + told + 0; }";
  build(source);
  running_command command(by_hand({library(), "next()"}));
  EXPECT_TRUE(command.says("next() = 101"));
  build(edited(source, "+ 0", "+ 1000"));
  EXPECT_TRUE(command.says("next() = 1102"));
  build(edited(source, "kept = p; return 0", "return 7"));
  EXPECT_TRUE(command.says("started anew: autoreload_restore of the new build returned 7"));
  EXPECT_TRUE(command.says("next() = 101"));
  // A build that can't live with what it got starts without it; the one before was as it was.
  build(edited(source, "kept = p; return 0", "abort(); return 0"));
  EXPECT_TRUE(command.says("started anew: with what was kept the new build crashed: SIGABRT"));
  EXPECT_TRUE(command.says("next() = 101"));
}

}  // namespace
