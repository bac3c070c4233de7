// SPDX-License-Identifier: MIT
// overtaken_test: builds that are overtaken by the next save, and hosts that are killed in the middle of one.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "project.hpp"
#include "system/unique_fd.hpp"

namespace {

using namespace rebuild_test;
using namespace std::chrono_literals;
using autoreload::unique_fd;

// A command that compiles, and whose processes all hold this FIFO open: reading it to its end proves that they are
// gone.
rebuild_options slow_build(const std::string& directory, const std::string& fifo, const std::string& before) {
  rebuild_options options;
  options.command = {"sh", "-c",
                     "exec 9> '" + fifo + "'; " + before + "; " + support::c_compiler() +
                         " -g -shared -fPIC -o libvalue.so.new lib.c && mv libvalue.so.new libvalue.so"};
  options.directory = directory;
  options.sources = {"lib.c"};
  return options;
}

bool nobody_holds(int fifo) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  char piece[256];
  while (std::chrono::steady_clock::now() < deadline) {
    pollfd waits{fifo, POLLIN, 0};
    if (poll(&waits, 1, 100) == 1 && read(fifo, piece, sizeof piece) == 0) return true;
  }
  return false;
}

std::string make_fifo(const temp_directory& in) {
  std::string name = in / "fifo";
  if (mkfifo(name.c_str(), 0600) != 0) throw std::runtime_error("mkfifo");
  return name;
}

TEST(overtaken, a_hundred_times_and_the_last_save_wins) {
  const temp_directory directory;
  const std::string fifo = make_fifo(directory);
  const unique_fd held(open(fifo.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  support::write_file(directory / "lib.c", "int value(void) { return 0; }\n");
  support::write_file(directory / "slow", "");
  // While the file `slow` is there a build takes for ever, with a child that ignores signals in a session of its own.
  session running(directory / "libvalue.so",
                  slow_build(directory.path(), fifo,
                             "test ! -e slow || { setsid sh -c 'trap \"\" TERM; sleep 1000' & sleep 1000; }"));
  (void)running.told.next(rebuild_kind::building);
  for (int i = 1; i <= 100; ++i) {
    if (i == 100) std::filesystem::remove(directory / "slow");
    support::write_file(directory / "lib.c", "int value(void) { return " + std::to_string(i) + "; }\n");
    const rebuild_event next = running.told.next(rebuild_kind::building);
    ASSERT_EQ(next.build, static_cast<std::uint64_t>(i + 1)) << "each is overtaken by exactly one";
  }
  ASSERT_TRUE(running.becomes(100));
  (void)running.told.next(rebuild_kind::built);
  EXPECT_TRUE(nobody_holds(held.get()));
}

// Real tools, saved at random moments of their builds: the end must be the last save, whatever was written half.
TEST(overtaken, at_any_moment_of_a_real_build_and_the_last_save_wins) {
  for (const tool which : {tool::ninja, tool::make}) {
    if (!installed(programs_of(which)[0].first)) GTEST_SKIP() << programs_of(which)[0].second << " is not installed";
    const project on(which);
    session running(on);
    ASSERT_TRUE(running.becomes(1));
    for (int round = 0; round < 12; ++round) {
      const int last = 1000 * (round + 1);
      for (int i = 0; i < 6; ++i) {
        on.write("lib.c", source_of(last - 6 + i));
        std::this_thread::sleep_for(std::chrono::milliseconds((round * 7 + i * 5) % 41));  // the moment, not a wait
      }
      on.write("lib.c", source_of(last));
      ASSERT_TRUE(running.becomes(last)) << name_of(which) << ", round " << round;
    }
  }
}

// An object that is made from the old text, and finished after the new one was saved, looks up to date to make.
TEST(overtaken, by_a_save_that_is_older_than_the_object_and_not_lost_even_so) {
  if (!installed("make")) GTEST_SKIP() << "make is not installed (Debian package make)";
  const temp_directory directory;
  const std::string fifo = make_fifo(directory);
  const auto save = [&](int value) {
    support::write_file(directory / "lib.c", "int value(void) { return " + std::to_string(value) + "; }\n");
  };
  save(1);
  support::write_file(
      directory / "Makefile",
      ".PRECIOUS: lib.o\nlibvalue.so: lib.o\n\t" + support::c_compiler() + " -shared -o $@ $^\nlib.o: lib.c\n\t" +
          "trap '' TERM; " + support::c_compiler() + " -g -fPIC -c lib.c -o new.o && " +
          "if test -e slow; then rm slow; echo compiled > fifo; sleep 0.2; fi; mv new.o lib.o; touch lib.o\n");
  session running(directory / "libvalue.so");
  ASSERT_TRUE(running.becomes(1));
  (void)running.told.next(rebuild_kind::built);
  const unique_fd compiled(open(fifo.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  support::write_file(directory / "slow", "");
  save(2);
  pollfd waits{compiled.get(), POLLIN, 0};
  ASSERT_EQ(poll(&waits, 1, static_cast<int>(std::chrono::milliseconds(patience).count())), 1);
  save(3);
  EXPECT_TRUE(running.becomes(3));
}

// ninja deletes its build file when it is stopped while it makes it again.
TEST(overtaken, while_the_build_is_configured_anew_and_nothing_is_broken) {
  if (!installed("cmake") || !installed("ninja")) GTEST_SKIP() << "needs the Debian packages cmake and ninja-build";
  const project on(tool::cmake_ninja);
  session running(on);
  ASSERT_TRUE(running.becomes(1));
  (void)running.told.next(rebuild_kind::built);
  const std::string text = support::read_file(on.path("CMakeLists.txt"));
  for (int round = 1; round <= 8; ++round) {
    on.write("CMakeLists.txt", text + "# " + std::to_string(round) + "\n");
    std::this_thread::sleep_for(std::chrono::milliseconds(round * 15));  // the moment, not a wait
    on.write("lib.c", source_of(10 * round));
    ASSERT_TRUE(running.becomes(10 * round)) << "round " << round;
  }
}

TEST(overtaken, by_a_save_of_another_file_so_that_both_are_built) {
  const project on;
  session running(on);
  ASSERT_TRUE(running.becomes(1));
  (void)running.told.next(rebuild_kind::ready);
  (void)running.told.next(rebuild_kind::ready);
  on.write("lib.c", source_of(2));
  on.write("value.h", "#define EXTRA 40\nint value(void);\n");
  EXPECT_TRUE(running.becomes(42));
}

TEST(killed, a_host_in_the_middle_of_a_build_leaves_no_process_and_no_save_is_lost) {
  const temp_directory directory;
  const std::string fifo = make_fifo(directory);
  for (int round = 0; round < 5; ++round) {
    const unique_fd held(open(fifo.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    support::write_file(directory / "lib.c", "int value(void) { return " + std::to_string(round) + "; }\n");
    const pid_t host = fork();
    if (host == 0) {
      alarm(60);
      const rebuilder builder(directory / "libvalue.so",
                              slow_build(directory.path(), fifo, "echo started >&9; setsid sleep 1000 & sleep 1000"));
      pause();
      _exit(0);
    }
    pollfd started{held.get(), POLLIN, 0};
    ASSERT_EQ(poll(&started, 1, static_cast<int>(std::chrono::milliseconds(patience).count())), 1);
    kill(host, SIGKILL);
    waitpid(host, nullptr, 0);
    EXPECT_TRUE(nobody_holds(held.get())) << "round " << round;
  }
  // The next host builds what was saved while there was none.
  session running(directory / "libvalue.so", slow_build(directory.path(), "/dev/null", "true"));
  EXPECT_TRUE(running.becomes(4));
}

TEST(ended, a_rebuilder_ends_its_build_with_itself) {
  const temp_directory directory;
  const std::string fifo = make_fifo(directory);
  const unique_fd held(open(fifo.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  {
    session running(directory / "libvalue.so", slow_build(directory.path(), fifo, "echo started >&9; sleep 1000"));
    pollfd started{held.get(), POLLIN, 0};
    ASSERT_EQ(poll(&started, 1, static_cast<int>(std::chrono::milliseconds(patience).count())), 1);
  }
  EXPECT_TRUE(nobody_holds(held.get()));
}

TEST(ended, a_rebuilder_does_not_wait_for_a_tool_that_does_not_answer) {
  if (!installed("make")) GTEST_SKIP() << "make is not installed (Debian package make)";
  const temp_directory directory;
  const std::string fifo = make_fifo(directory);
  const unique_fd held(open(fifo.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  // Read by `make -n` already, while the tool is being looked for.
  support::write_file(directory / "Makefile",
                      "x := $(shell exec > '" + fifo + "'; echo asked; sleep 1000)\nlibvalue.so:\n\ttrue\n");
  const auto start = std::chrono::steady_clock::now();
  {
    session running(directory / "libvalue.so");
    pollfd asked{held.get(), POLLIN, 0};
    ASSERT_EQ(poll(&asked, 1, static_cast<int>(std::chrono::milliseconds(patience).count())), 1);
  }
  EXPECT_TRUE(nobody_holds(held.get()));
  EXPECT_LT(std::chrono::steady_clock::now() - start, patience);
}

}  // namespace
