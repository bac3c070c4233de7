// SPDX-License-Identifier: MIT
// polling_test: saves on file systems where the kernel tells of nothing.
#include <thread>

#include "project.hpp"

namespace {

using namespace rebuild_test;
using namespace std::chrono_literals;

rebuild_options by_polling() {
  rebuild_options options;
  options.watch = autoreload::watch_mode::polling;
  options.poll_interval = 20ms;
  return options;
}

class polling : public testing::TestWithParam<tool> {
 protected:
  void SetUp() override {
    for (const auto& [program, package] : programs_of(GetParam())) {
      if (!installed(program)) GTEST_SKIP() << program << " is not installed (Debian package " << package << ")";
    }
  }
};

TEST_P(polling, a_save_becomes_the_running_code) {
  const project on(GetParam());
  session running(on, by_polling());
  EXPECT_TRUE(running.told.next(rebuild_kind::ready).text.ends_with(" by polling")) << running.told.said();
  ASSERT_TRUE(running.becomes(1));
  on.write("lib.c", source_of(2));
  ASSERT_TRUE(running.becomes(2));
  on.replace("lib.c", source_of(3));
  ASSERT_TRUE(running.becomes(3)) << "a new file in its place";
  on.write("value.h", "#define EXTRA 10\nint value(void);\n");
  ASSERT_TRUE(running.becomes(13)) << "a header";
  on.write("lib.c", "int broken(\n");
  EXPECT_NE(running.told.next(rebuild_kind::build_failed).text.find("lib.c:"), std::string::npos);
  for (int value = 4; value < 20; ++value) on.write("lib.c", source_of(value));
  EXPECT_TRUE(running.becomes(29)) << "the last of a burst";
}

INSTANTIATE_TEST_SUITE_P(rebuild, polling, testing::Values(tool::ninja, tool::make, tool::cmake_make),
                         [](const auto& which) { return name_of(which.param); });

TEST(polling, finds_a_build_tool_that_appears_and_searches_only_then) {
  const temp_directory directory;
  support::write_file(directory / "lib.c", "int value(void) { return 1; }\n");
  session running(directory / "libvalue.so", by_polling());
  (void)running.told.next(rebuild_kind::failed);
  // Whatever looks at the tool's files runs make, which counts.
  support::write_file(directory / "new", "$(shell echo asked >> asked)\nother.so:\n\ttrue\n");
  std::filesystem::rename(directory / "new", directory / "Makefile");
  const auto asked = [&] { return support::read_file(directory / "asked").size(); };
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (asked() == 0 && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
  const auto once = asked();
  EXPECT_GT(once, 0U);
  std::this_thread::sleep_for(10 * by_polling().poll_interval);  // time in which nothing is to happen
  EXPECT_EQ(asked(), once);
  support::write_file(directory / "Makefile",
                      "libvalue.so: lib.c\n\t" + support::c_compiler() + " -g -shared -fPIC -o $@ lib.c\n");
  EXPECT_TRUE(running.becomes(1));
}

TEST(polling, asks_the_tool_once_after_somebody_else_has_built) {
  if (!installed("make")) GTEST_SKIP() << "make is not installed (Debian package make)";
  const temp_directory directory;
  support::write_file(directory / "lib.c", "int value(void) { return 1; }\n");
  support::write_file(directory / "Makefile", "$(shell echo asked >> asked)\nlibvalue.so: lib.c\n\t" +
                                                  support::c_compiler() + " -g -shared -fPIC -o $@ lib.c\n");
  session running(directory / "libvalue.so", by_polling());
  ASSERT_TRUE(running.becomes(1));
  const auto asked = [&] { return support::read_file(directory / "asked").size(); };
  // Until nothing has happened for so long that the next look would have come.
  const auto comes_to_rest = [&] {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    for (auto before = asked(); std::chrono::steady_clock::now() < deadline; before = asked()) {
      std::this_thread::sleep_for(10 * by_polling().poll_interval);
      if (asked() == before) return true;
    }
    return false;
  };
  ASSERT_TRUE(comes_to_rest());
  const auto before = asked();
  support::build_library(directory / "libvalue.so", "int value(void) { return 7; }");
  ASSERT_TRUE(running.becomes(7));
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (asked() == before && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
  EXPECT_GT(asked(), before);
  EXPECT_TRUE(comes_to_rest()) << "it asks again and again";
}

// A FUSE mount whose files are changed from the other side, as a network file system's by another machine.
TEST(polling, is_chosen_by_itself_where_the_kernel_tells_of_nothing) {
  if (!installed("bindfs")) GTEST_SKIP() << "bindfs is not installed (Debian package bindfs)";
  const temp_directory directory;
  std::filesystem::create_directory(directory / "there");
  std::filesystem::create_directory(directory / "here");
  support::write_file(directory / "there/lib.c", "int value(void) { return 1; }\n");
  const std::string here = "'" + directory.path().string() + "/here'";
  if (std::system(("bindfs '" + directory.path().string() + "/there' " + here + " 2> /dev/null").c_str()) != 0) {
    GTEST_SKIP() << "no FUSE file system can be mounted here";
  }
  {
    rebuild_options options;
    options.poll_interval = 20ms;
    options.command = compile({"-g", "-shared", "-fPIC", "-o", "libvalue.so", "lib.c"});
    options.directory = directory / "here";
    session running(directory / "here/libvalue.so", options);
    EXPECT_TRUE(running.told.next(rebuild_kind::ready).text.ends_with(" by polling")) << running.told.said();
    EXPECT_TRUE(running.becomes(1));
    support::write_file(directory / "there/lib.c", "int value(void) { return 2; }\n");
    EXPECT_TRUE(running.becomes(2));
  }
  support::shell("fusermount -u -z " + here + " || umount -l " + here);
}

}  // namespace
