// SPDX-License-Identifier: MIT
// end_to_end_test: the real demo, while a real C file is edited and compiled.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <optional>
#include <string>
#include <vector>

#include "support.hpp"

namespace {

using support::patience;

// The demo as a child, with both of its outputs read line by line.
class demo_process {
 public:
  explicit demo_process(const std::vector<std::string>& arguments) {
    std::array<int, 2> out{};
    std::array<int, 2> err{};
    if (pipe2(out.data(), O_CLOEXEC) != 0 || pipe2(err.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe");
    const char* const program = std::getenv("AUTORELOAD_DEMO");
    if (program == nullptr) throw std::runtime_error("AUTORELOAD_DEMO names no demo");
    std::vector<std::string> words{program};
    words.insert(words.end(), arguments.begin(), arguments.end());
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, err[1], STDERR_FILENO);
    const int failure = posix_spawn(&process_, program, &actions, nullptr, argv.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    close(out[1]);
    close(err[1]);
    out_.file = out[0];
    err_.file = err[0];
    if (failure != 0) throw std::runtime_error("posix_spawn");
  }
  demo_process(const demo_process&) = delete;
  demo_process& operator=(const demo_process&) = delete;
  ~demo_process() {
    if (process_ > 0) {
      kill(process_, SIGKILL);
      waitpid(process_, nullptr, 0);
    }
    close(out_.file);
    close(err_.file);
  }

  /// Reads standard output up to this very line, which may be repeated calls later. What it skips must be lines that
  /// were promised, or the test fails.
  testing::AssertionResult prints(const std::string& wanted) {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (const auto line = next(out_, deadline)) {
      if (*line == wanted) return testing::AssertionSuccess();
      if (!line->starts_with("foo() -> ") && !line->starts_with("bar() ") && !line->starts_with("Reloading \"")) {
        return testing::AssertionFailure() << "an unexpected line: " << *line;
      }
    }
    return testing::AssertionFailure() << "never printed: " << wanted << "\nstandard error: " << everything_said();
  }
  /// The next line of standard output, whatever it is.
  std::string line() { return next(out_, std::chrono::steady_clock::now() + patience).value_or("(no line)"); }

  /// Reads standard error up to a line that contains this.
  testing::AssertionResult says(const std::string& part) {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (const auto line = next(err_, deadline)) {
      if (line->find(part) != std::string::npos) return testing::AssertionSuccess();
    }
    return testing::AssertionFailure() << "never said: " << part << "\nstandard error: " << everything_said();
  }

  void signal(int number) const { kill(process_, number); }

  /// Its exit status, or minus the signal that ended it.
  int wait() {
    int status = 0;
    waitpid(process_, &status, 0);
    process_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }

 private:
  struct stream {
    int file = -1;
    std::string buffer;
    std::string all;
  };

  // Drains both pipes while it waits for one, so that neither fills up.
  std::optional<std::string> next(stream& from, std::chrono::steady_clock::time_point deadline) {
    for (;;) {
      if (const std::size_t end = from.buffer.find('\n'); end != std::string::npos) {
        std::string line = from.buffer.substr(0, end);
        from.buffer.erase(0, end + 1);
        return line;
      }
      const auto left =
          std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
      if (left.count() <= 0) return std::nullopt;
      std::array<pollfd, 2> files{pollfd{out_.file, POLLIN, 0}, pollfd{err_.file, POLLIN, 0}};
      if (poll(files.data(), files.size(), static_cast<int>(left.count())) <= 0) return std::nullopt;
      const bool ended = !fill(out_, files[0].revents);
      if ((!fill(err_, files[1].revents) || ended) && from.buffer.find('\n') == std::string::npos) return std::nullopt;
    }
  }

  static bool fill(stream& into, short events) {
    if (events == 0) return true;
    std::array<char, 4096> chunk;
    const ssize_t got = read(into.file, chunk.data(), chunk.size());
    if (got <= 0) return false;
    into.buffer.append(chunk.data(), static_cast<std::size_t>(got));
    into.all.append(chunk.data(), static_cast<std::size_t>(got));
    return true;
  }

  std::string everything_said() {
    fill(err_, POLLIN);
    return err_.all;
  }

  pid_t process_ = -1;
  stream out_;
  stream err_;
};

// A user's working copy of clib/.
class working_copy {
 public:
  working_copy() {
    source_ = support::read_file(std::string(AUTORELOAD_CLIB) + "/lib.c");
    support::write_file(directory_ / "foo.h", support::read_file(std::string(AUTORELOAD_CLIB) + "/foo.h"));
  }

  [[nodiscard]] std::string library() const { return directory_ / "libfoo.so"; }
  [[nodiscard]] std::string operator/(const std::string& name) const { return directory_ / name; }

  /// Replaces text in lib.c, which must be there.
  working_copy& edit(const std::string& from, const std::string& to) {
    const std::size_t at = source_.find(from);
    EXPECT_NE(at, std::string::npos) << from << " is not in lib.c";
    source_.replace(at, from.size(), to);
    return *this;
  }

  /// As an editor does it: nothing but the source.
  void save() const { support::write_file(directory_ / "lib.c", source_); }

  /// Saves it beside a Makefile that builds the library.
  void make() const {
    save();
    support::write_file(directory_ / "Makefile", "libfoo.so: lib.c\n\t" + support::c_compiler() +
                                                     " -shared -fPIC -g -fvisibility=hidden -o $@ lib.c\n");
  }

  /// Compiles, as the linker does it: straight to the final name.
  void build(const std::string& flags = "") const { build_as(library(), flags); }

  void build_as(const std::string& name, const std::string& flags = "") const {
    support::write_file(directory_ / "lib.c", source_);
    support::shell(support::c_compiler() + " -shared -fPIC -g -fvisibility=hidden " + flags + " -o '" + name + "' '" +
                   (directory_ / "lib.c") + "'");
  }

 private:
  support::temp_directory directory_;
  std::string source_;
};

class Demo : public testing::TestWithParam<std::string> {
 protected:
  static std::vector<std::string> arguments(const std::string& library) {
    return {library, "--interval", "20ms", "--watch", GetParam(), "--poll-interval", "20ms"};
  }
};

INSTANTIATE_TEST_SUITE_P(Watching, Demo, testing::Values("inotify", "poll"),
                         [](const auto& chosen) { return chosen.param; });

TEST_P(Demo, GoesOnWithTheNewFunctionsAfterAnEditAndARebuild) {
  working_copy copy;
  copy.build();
  demo_process demo(arguments(copy.library()));
  EXPECT_EQ(demo.line(), "foo() -> 4");
  EXPECT_EQ(demo.line(), "bar() is not defined");

  copy.edit("return 4", "return 5").edit("// int32_t bar", "int32_t bar").build();
  EXPECT_TRUE(demo.prints("Reloading \"" + copy.library() + "\""));
  EXPECT_EQ(demo.line(), "foo() -> 5");
  EXPECT_EQ(demo.line(), "bar() -> 10");

  copy.edit("int32_t bar", "// int32_t bar").build();
  EXPECT_TRUE(demo.prints("Reloading \"" + copy.library() + "\""));
  EXPECT_EQ(demo.line(), "foo() -> 5");
  EXPECT_EQ(demo.line(), "bar() is not defined");
}

TEST_P(Demo, BuildsByItselfWhenTheSourceIsSaved) {
  if (std::getenv("AUTORELOAD_DEMO_REBUILDS") == nullptr) GTEST_SKIP() << "configured with -Drebuild=disabled";
  if (std::system("command -v make > /dev/null") != 0) GTEST_SKIP() << "make is not installed (Debian package make)";
  working_copy copy;
  copy.make();
  std::vector<std::string> words = arguments(copy.library());
  words.emplace_back("--rebuild");
  demo_process demo(words);
  EXPECT_TRUE(demo.prints("foo() -> 4")) << "built at the start";

  copy.edit("return 4", "return 5").save();
  EXPECT_TRUE(demo.prints("foo() -> 5"));
  copy.edit("return 5;", "return 5").save();
  EXPECT_TRUE(demo.says("build failed: lib.c:5:"));
  EXPECT_TRUE(demo.prints("foo() -> 5"));
  copy.edit("return 5", "return 6;").save();
  EXPECT_TRUE(demo.prints("foo() -> 6"));
}

TEST_P(Demo, GoesOnWithWhatItHasThroughEveryBadBuildAndTakesTheNextGoodOne) {
  working_copy copy;
  copy.edit("return 4", "return 5").edit("// int32_t bar", "int32_t bar").build();
  demo_process demo(arguments(copy.library()));
  ASSERT_TRUE(demo.prints("foo() -> 5"));

  const std::string whole = support::read_file(copy.library());
  support::write_file(copy / "empty", "");
  support::write_file(copy / "text", "this is no library, whatever its name says\n");
  support::write_file(copy / "half", whole.substr(0, whole.size() / 2));
  copy.build_as(copy / "no_foo", "-Dfoo=other_foo");

  int cases = 0;
  struct bad_build {
    std::string file;
    std::string reason;
  };
  for (const bad_build& bad : {bad_build{"no_foo", "missing: int foo(void)"}, bad_build{"empty", "empty"},
                               bad_build{"text", "this is a text file"}, bad_build{"half", "the file has"}}) {
    for (const std::string command : {"mv", "cp"}) {
      SCOPED_TRACE(command + " " + bad.file);
      support::shell("cp '" + (copy / bad.file) + "' '" + (copy / "x") + "'");
      support::shell(command + " '" + (copy / "x") + "' '" + copy.library() + "'");
      EXPECT_TRUE(demo.says(bad.reason));
      EXPECT_TRUE(demo.prints("foo() -> 5"));
      EXPECT_TRUE(demo.prints("bar() -> 10"));
      // A good one of other content comes between the cases, so that each starts from the same state.
      copy.build_as(copy / "good", "-Wl,--build-id=0x" + std::to_string(10 + ++cases));
      std::filesystem::rename(copy / "good", copy.library());
      EXPECT_TRUE(demo.prints("Reloading \"" + copy.library() + "\""));
    }
  }
  std::filesystem::remove(copy.library());
  EXPECT_TRUE(demo.says("there is no such file"));
  EXPECT_TRUE(demo.prints("foo() -> 5"));

  copy.edit("return 5", "return 6").build();
  EXPECT_TRUE(demo.prints("Reloading \"" + copy.library() + "\""));
  EXPECT_EQ(demo.line(), "foo() -> 6");
}

TEST_P(Demo, SaysThatItWaitsForALibraryThatIsNotBuiltYetAndThenCallsIt) {
  working_copy copy;
  demo_process demo(arguments(copy.library()));
  EXPECT_TRUE(demo.says("there is no such file"));
  copy.build();
  EXPECT_EQ(demo.line(), "foo() -> 4");
  EXPECT_EQ(demo.line(), "bar() is not defined");
}

TEST_P(Demo, NoticesAChangeThatComesRightAfterTheStart) {
  working_copy copy;
  copy.build();
  copy.edit("return 4", "return 5").build_as(copy / "next.so");
  demo_process demo(arguments(copy.library()));
  ASSERT_EQ(demo.line(), "foo() -> 4");
  std::filesystem::rename(copy / "next.so", copy.library());
  EXPECT_TRUE(demo.prints("foo() -> 5"));
}

TEST_P(Demo, EndsAfterItsRoundsWithStatusZero) {
  working_copy copy;
  copy.build();
  std::vector<std::string> words = arguments(copy.library());
  words.insert(words.end(), {"--rounds", "2"});
  demo_process demo(words);
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(demo.line(), "foo() -> 4");
    EXPECT_EQ(demo.line(), "bar() is not defined");
  }
  EXPECT_EQ(demo.line(), "(no line)");
  EXPECT_EQ(demo.wait(), 0);
}

TEST_P(Demo, EndsAfterItsRoundsAlsoWhenTheLibraryNeverComesAndSaysSo) {
  const working_copy copy;
  std::vector<std::string> words = arguments(copy.library());
  words.insert(words.end(), {"--rounds", "2"});
  demo_process demo(words);
  EXPECT_EQ(demo.line(), "(no line)") << "there was nothing to call";
  EXPECT_TRUE(demo.says("\"" + copy.library() + "\" never came"));
  EXPECT_EQ(demo.wait(), 1);
}

TEST_P(Demo, EndsCleanlyAtCtrlC) {
  working_copy copy;
  copy.build();
  demo_process demo(arguments(copy.library()));
  ASSERT_TRUE(demo.prints("foo() -> 4"));
  demo.signal(SIGINT);
  EXPECT_EQ(demo.wait(), 0);
}

TEST(DemoCommandLine, RefusesBadArgumentsWithStatusTwoAndSaysWhy) {
  struct bad_line {
    std::vector<std::string> words;
    std::string reason;
  };
  for (const bad_line& bad : {bad_line{{"--interval", "soon"}, "--interval: \"soon\" is no time"},
                              bad_line{{"--interval", "0s"}, "is no time"},
                              bad_line{{"--interval", "-1s"}, "is no time"},
                              bad_line{{"--interval", "5"}, "is no time"},
                              bad_line{{"--interval", "inf s"}, "is no time"},
                              bad_line{{"--interval", "nans"}, "is no time"},
                              bad_line{{"--interval", "1e999s"}, "is no time"},
                              bad_line{{"--interval="}, "is no time"},
                              bad_line{{"--interval", "2days"}, "is no time"},
                              bad_line{{"--rounds", "-1"}, "no whole number"},
                              bad_line{{"--rounds", ""}, "no whole number"},
                              bad_line{{"--rounds", "99999999999999999999"}, "no whole number"},
                              bad_line{{"--rounds", "3x"}, "no whole number"},
                              bad_line{{"--watch="}, "neither inotify nor poll"},
                              bad_line{{"--poll-interval", "0ms"}, "is no time"},
                              bad_line{{"--poll-interval", "25h"}, "is no time"},
                              bad_line{{"--help=me"}, "option \"--help=me\""},
                              bad_line{{"--interval"}, "--interval needs a value"},
                              bad_line{{"--rounds", "0"}, "no whole number of 1 or more"},
                              bad_line{{"--rounds", "1.5"}, "no whole number"},
                              bad_line{{"--watch", "closely"}, "neither inotify nor poll"},
                              bad_line{{"--poll-interval", "1y"}, "--poll-interval: \"1y\""},
                              bad_line{{"--frobnicate"}, "unknown option"},
                              bad_line{{"-x"}, "unknown option"},
                              bad_line{{"one.so", "two.so"}, "unexpected argument \"two.so\""},
                              bad_line{{""}, "the library's name is empty"}}) {
    SCOPED_TRACE(bad.reason);
    demo_process demo(bad.words);
    EXPECT_TRUE(demo.says(bad.reason));
    EXPECT_EQ(demo.wait(), 2);
  }
}

TEST(DemoCommandLine, ExplainsItself) {
  demo_process demo({"--help"});
  EXPECT_EQ(demo.line(), "usage: autoreload-demo [LIBRARY] [OPTIONS]");
  EXPECT_EQ(demo.wait(), 0);
}

TEST(DemoCommandLine, TakesTheLibraryBuiltBesideItByDefault) {
  demo_process demo({"--rounds", "1"});
  EXPECT_TRUE(demo.line().starts_with("foo() -> "));
  EXPECT_EQ(demo.wait(), 0);
}

}  // namespace
