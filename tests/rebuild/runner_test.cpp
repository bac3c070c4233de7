// SPDX-License-Identifier: MIT
// runner_test: real commands, started, stopped, and left behind by a host that is killed.
#include "rebuild/runner.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/support.hpp"

namespace {

using namespace std::chrono_literals;
using autoreload::unique_fd;
using autoreload::building::command;
using autoreload::building::ending;
using autoreload::building::runner;
using support::patience;
using support::temp_directory;

std::vector<std::string> own_environment() {
  std::vector<std::string> copy;
  for (char** entry = environ; *entry != nullptr; ++entry) copy.emplace_back(*entry);
  return copy;
}

command shell_command(const std::string& script, const std::string& directory = "/") {
  return {{"/bin/sh", "-c", script}, directory, own_environment()};
}

ending run(runner& in, const command& what) {
  in.start(what).value();
  return in.wait();
}

ending run(const std::string& script) {
  runner one = runner::make(1 << 20).value();
  return run(one, shell_command(script));
}

// Waits until the build has printed this much.
void until_printed(runner& in, std::uint64_t bytes) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (in.printed() < bytes && std::chrono::steady_clock::now() < deadline) {
    const auto [control, pipe] = in.readable();
    pollfd waits[2]{{control, POLLIN, 0}, {pipe, POLLIN, 0}};
    poll(waits, 2, 100);
    ASSERT_FALSE(in.advance()) << "it ended";
  }
}

bool ends_soon(pid_t process) {
  const unique_fd handle(static_cast<int>(syscall(SYS_pidfd_open, process, 0)));
  if (!handle) return errno == ESRCH;
  pollfd waits{handle.get(), POLLIN, 0};
  return poll(&waits, 1, static_cast<int>(std::chrono::milliseconds(patience).count())) == 1;
}

std::vector<pid_t> numbers_in(const std::string& text) {
  std::istringstream words(text);
  std::vector<pid_t> numbers;
  for (pid_t number = 0; words >> number;) numbers.push_back(number);
  return numbers;
}

TEST(runner, tells_the_output_and_the_status_of_a_command) {
  const ending ended = run("echo to standard output; echo to standard error >&2; exit 3");
  EXPECT_EQ(ended.output, "to standard output\nto standard error\n");
  ASSERT_TRUE(WIFEXITED(ended.status));
  EXPECT_EQ(WEXITSTATUS(ended.status), 3);
  EXPECT_FALSE(ended.succeeded());
  EXPECT_GE(ended.ended, ended.started);
}

TEST(runner, runs_one_command_after_the_other) {
  runner one = runner::make(1 << 20).value();
  for (int i = 0; i < 50; ++i)
    EXPECT_EQ(run(one, shell_command("echo " + std::to_string(i))).output, std::to_string(i) + "\n");
}

TEST(runner, starts_it_in_its_directory_with_its_environment_and_nothing_to_read) {
  const temp_directory directory;
  std::filesystem::create_directory(directory / "with a space");
  runner one = runner::make(1 << 20).value();
  command what =
      shell_command("pwd; echo \"$greeting\"; cat; test -t 0 || echo no terminal; true < /dev/tty || echo really none",
                    directory / "with a space");
  what.environment.emplace_back("greeting=good day");
  const std::string output = run(one, what).output;
  EXPECT_TRUE(output.starts_with(directory / "with a space" + "\ngood day\nno terminal\n")) << output;
  EXPECT_TRUE(output.ends_with("really none\n")) << output;
}

TEST(runner, says_why_a_program_does_not_start) {
  const temp_directory directory;
  support::write_file(directory / "text", "no program\n");
  runner one = runner::make(1 << 20).value();
  // By its path: a directory of PATH that may not be entered (root's, after su) would make it EACCES.
  EXPECT_EQ(run(one, {{directory / "there-is-no-such-program"}, "/", own_environment()}).start_error, ENOENT);
  EXPECT_EQ(run(one, {{directory / "text"}, "/", own_environment()}).start_error, EACCES);
  EXPECT_EQ(run(one, {{"true"}, "/there/is/no/such/directory", own_environment()}).start_error, ENOENT);
  EXPECT_TRUE(run(one, {{"true"}, "/", own_environment()}).succeeded());
}

TEST(runner, keeps_the_beginning_and_the_end_of_a_flood) {
  runner one = runner::make(10'000).value();
  const ending ended = run(one, shell_command("echo first; seq 1000000; echo last"));
  EXPECT_GT(ended.output_size, 6'000'000U);
  EXPECT_LT(ended.output.size(), 10'200U);
  EXPECT_TRUE(ended.output.starts_with("first\n1\n2\n"));
  EXPECT_TRUE(ended.output.ends_with("\n1000000\nlast\n"));
  EXPECT_NE(ended.output.find("bytes are left out here"), std::string::npos);
}

TEST(runner, ends_what_a_command_leaves_behind) {
  const ending ended = run("setsid sleep 1000 & sleep 1000 & echo $!; exit 0");
  EXPECT_TRUE(ended.succeeded());
  EXPECT_GE(ended.left, 2U);
  for (const pid_t left : numbers_in(ended.output)) EXPECT_TRUE(ends_soon(left));
}

TEST(runner, stops_the_whole_tree_also_what_left_the_session_and_what_ignores_signals) {
  runner one = runner::make(1 << 20).value();
  one.start(shell_command("sh -c 'trap \"\" TERM; echo $$; sleep 1000' & "
                          "setsid sh -c 'trap \"\" TERM HUP INT; echo $$; while :; do sleep 1000; done' & "
                          "(setsid sh -c 'echo $$; sleep 1000' &) ; sleep 1000"))
      .value();
  until_printed(one, 6);
  one.stop(50ms);
  const ending ended = one.wait();
  EXPECT_FALSE(ended.succeeded());
  EXPECT_FALSE(ended.immortal);
  for (const pid_t left : numbers_in(ended.output)) EXPECT_EQ(kill(left, 0), -1) << left;
}

TEST(runner, lets_make_delete_what_is_written_half_when_it_is_stopped) {
  if (std::system("command -v make > /dev/null") != 0) GTEST_SKIP() << "make is not installed (Debian package make)";
  const temp_directory directory;
  support::write_file(directory / "Makefile", "half:\n\t@echo start > half; echo started; sleep 1000\n");
  runner one = runner::make(1 << 20).value();
  one.start({{"make", "half"}, directory.path(), own_environment()}).value();
  until_printed(one, 7);
  ASSERT_TRUE(std::filesystem::exists(directory / "half"));
  one.stop(10s);
  (void)one.wait();
  EXPECT_FALSE(std::filesystem::exists(directory / "half"));
}

TEST(runner, is_stopped_and_started_a_hundred_times) {
  runner one = runner::make(1 << 20).value();
  for (int i = 0; i < 100; ++i) {
    one.start(shell_command("sleep 1000 & sleep 1000")).value();
    one.stop();
    EXPECT_FALSE(one.wait().succeeded());
  }
  EXPECT_EQ(run(one, shell_command("echo the last")).output, "the last\n");
}

TEST(runner, ends_its_command_with_itself) {
  pid_t left = 0;
  {
    runner one = runner::make(1 << 20).value();
    one.start(shell_command("echo $$; sleep 1000")).value();
    until_printed(one, 2);
    one.stop(0ms);
    left = numbers_in(one.wait().output).at(0);
    one.start(shell_command("sleep 1000")).value();
  }
  EXPECT_EQ(kill(left, 0), -1);
}

TEST(runner, is_no_child_that_the_host_would_wait_for) {
  runner one = runner::make(1 << 20).value();
  one.start(shell_command("sleep 1000")).value();
  EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1);
  EXPECT_EQ(errno, ECHILD);
}

TEST(runner, holds_nothing_of_the_hosts_open) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);  // without O_CLOEXEC, as a careless host has it
  runner one = runner::make(1 << 20).value();
  one.start(shell_command("echo here; sleep 1000")).value();
  until_printed(one, 5);
  close(ends[1]);
  char byte = 0;
  EXPECT_EQ(read(ends[0], &byte, 1), 0);
  close(ends[0]);
}

// What can be read until `enough` bytes came, or until nobody is left who could write.
std::string read_from(int file, std::size_t enough) {
  std::string text;
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (text.size() < enough && std::chrono::steady_clock::now() < deadline) {
    pollfd waits{file, POLLIN, 0};
    char piece[256];
    if (poll(&waits, 1, 100) != 1) continue;
    const ssize_t size = read(file, piece, sizeof piece);
    if (size <= 0) return text + "(nobody writes)";
    text.append(piece, static_cast<std::size_t>(size));
  }
  return text;
}

TEST(runner, leaves_no_orphan_when_the_host_is_killed_in_the_middle_of_a_build) {
  const temp_directory directory;
  const std::string fifo = directory / "told";
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  for (int round = 0; round < 5; ++round) {
    const unique_fd told(open(fifo.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    const pid_t host = fork();
    if (host == 0) {
      alarm(60);
      runner one = runner::make(1 << 20).value();
      one.start(shell_command("exec > '" + fifo +
                              "'; setsid sh -c 'trap \"\" TERM; echo here; sleep 1000' & echo here; sleep 1000"))
          .value();
      pause();
      _exit(0);
    }
    EXPECT_EQ(read_from(told.get(), 10), "here\nhere\n");
    kill(host, SIGKILL);
    waitpid(host, nullptr, 0);
    EXPECT_EQ(read_from(told.get(), 1), "(nobody writes)");  // each process of the build holds the FIFO open
  }
}

}  // namespace
