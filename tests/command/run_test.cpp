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
  running_command command({library(), "foo(1)", "--generations", "2"});
  EXPECT_TRUE(command.says("loaded " + library() + ", generation 1"));
  EXPECT_TRUE(command.says("foo(1) = 2"));
  build("int foo(int n) { return n + 2; }");
  EXPECT_TRUE(command.says("generation 2"));
  EXPECT_TRUE(command.says("foo(1) = 3 (was 2)"));
  EXPECT_EQ(command.wait(), 0);
}

TEST_F(Run, GoesOnWhenTheLibraryCrashesHangsOrIsBroken) {
  build("int foo(void) { return *(volatile int *)0; }");
  running_command command({library(), "foo()", "--limit", "500ms"});
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
  running_command command({library(), "foo()"});
  EXPECT_TRUE(command.says("there is no such file"));
  build("int foo(void) { return 5; }");
  EXPECT_TRUE(command.says("foo() = 5"));
}

TEST_F(Run, FindsALibraryByTheNameThatTheLoaderKnows) {
  running_command command({"libm.so.6", "sqrt(16)", "--header", "math.h", "--generations", "1"});
  EXPECT_TRUE(command.says("sqrt(16) = 4.0"));
  EXPECT_EQ(command.wait(), 0);
}

TEST_F(Run, EvaluatesInBetweenInTheSameProcess) {
  build("int count(void) { static int n; return ++n; }");
  running_command command({library(), "count()", "--every", "20ms"});
  EXPECT_TRUE(command.says("count() = 1"));
  EXPECT_TRUE(command.says("count() = 2"));
  EXPECT_TRUE(command.says("count() = 3"));
}

TEST_F(Run, SaysWhatNoLongerFitsAfterAnEdit) {
  build("int foo(int n) { return n; }");
  running_command command({library(), "foo(1)"});
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
  running_command command({library(), "foo()", "--every", "50ms"});
  EXPECT_TRUE(command.says("foo() = 1"));
  std::filesystem::rename(library(), library() + ".away");
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(command.says("foo() = 1"));
  std::filesystem::rename(library() + ".away", library());              // as a build that makes the same again
  for (int i = 0; i < 40; ++i) EXPECT_TRUE(command.says("foo() = 1"));  // two seconds: it is said after one
  EXPECT_EQ(command.all().find("there is no such file"), std::string::npos) << command.all();
}

}  // namespace
