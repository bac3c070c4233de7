// SPDX-License-Identifier: MIT
// editors_test: the ways in which editors, version control and formatters save, each with the real program.
#include "project.hpp"

namespace {

using namespace rebuild_test;

#define NEEDS(program, package) \
  if (!installed(program)) GTEST_SKIP() << (program) << " is not installed (Debian package " << (package) << ")"

// A project that is built, with a session on it; the source is lib.c.
class saved : public testing::Test {
 protected:
  void SetUp() override {
    NEEDS("ninja", "ninja-build");
    on_.emplace();
    running_.emplace(*on_);
    ASSERT_TRUE(running_->becomes(1));
    (void)running_->told.next(rebuild_kind::built);
  }
  void in_directory(const std::string& command) { support::shell("cd '" + on_->path("") + "' && " + command); }

  std::optional<project> on_;
  std::optional<session> running_;
};

TEST_F(saved, in_place) {
  on_->write("lib.c", source_of(2));
  EXPECT_TRUE(running_->becomes(2));
}

TEST_F(saved, by_a_rename_over_it) {
  for (int value = 2; value < 6; ++value) {
    on_->replace("lib.c", source_of(value));
    EXPECT_TRUE(running_->becomes(value));
  }
}

TEST_F(saved, after_the_old_one_was_made_a_backup) {
  for (int value = 2; value < 6; ++value) {
    std::filesystem::rename(on_->path("lib.c"), on_->path("lib.c~"));
    on_->write("lib.c", source_of(value));
    EXPECT_TRUE(running_->becomes(value));
  }
}

TEST_F(saved, by_deleting_and_writing_it_again) {
  std::filesystem::remove(on_->path("lib.c"));
  on_->write("lib.c", source_of(2));
  EXPECT_TRUE(running_->becomes(2));
}

TEST_F(saved, in_pieces_by_a_slow_writer) {
  const std::string text = source_of(2);
  {
    std::ofstream file(on_->path("lib.c"), std::ios::trunc);
    for (const char c : text) file << c << std::flush;
  }
  EXPECT_TRUE(running_->becomes(2));
}

TEST_F(saved, through_a_link_to_it) {
  std::filesystem::rename(on_->path("lib.c"), on_->path("real.c"));
  std::filesystem::create_symlink("real.c", on_->path("lib.c"));
  on_->write("real.c", source_of(2));
  ASSERT_TRUE(running_->becomes(2));
  on_->replace("real.c", source_of(3));
  EXPECT_TRUE(running_->becomes(3));
}

TEST_F(saved, by_sed) {
  in_directory("sed -i 's/return 1/return 2/' lib.c");
  ASSERT_TRUE(running_->becomes(2));
  in_directory("sed -i.bak 's/return 2/return 3/' lib.c");
  EXPECT_TRUE(running_->becomes(3));
}

TEST_F(saved, by_vim) {
  NEEDS("vim", "vim");
  const std::string vim = "vim -u NONE -i NONE -es -N ";
  in_directory(vim + "-c '%s/return 1/return 2/' -c wq lib.c");
  ASSERT_TRUE(running_->becomes(2)) << "as it comes";
  in_directory(vim + "-c 'set nobackup nowritebackup' -c '%s/return 2/return 3/' -c wq lib.c");
  ASSERT_TRUE(running_->becomes(3)) << "in place";
  in_directory(vim + "-c 'set backup backupcopy=no' -c '%s/return 3/return 4/' -c wq lib.c");
  ASSERT_TRUE(running_->becomes(4)) << "by a new file, the old one as a backup";
  in_directory(
      vim +
      "-c 'set backup backupcopy=yes swapfile' -c '%s/return 4/return 5/' -c w -c '%s/return 5/return 6/' -c wq lib.c");
  EXPECT_TRUE(running_->becomes(6)) << "twice, with a swap file";
}

// nano has no batch mode: `expect` presses the keys.
TEST_F(saved, by_nano) {
  NEEDS("nano", "nano");
  NEEDS("expect", "expect");
  for (const std::string option : {"", "--backup "}) {
    on_->write(
        "keys",
        "set timeout 20\nspawn env TERM=xterm nano --ignorercfiles " + option +
            "lib.c\nexpect \"value\"\nsend \"\\033/\"\nsend \"int filler" + std::to_string(option.size()) +
            ";\"\nsend \"\\017\"\nexpect \"lib.c\"\nsend \"\\r\"\nexpect \"Wrote\"\nsend \"\\030\"\nexpect eof\n");
    in_directory("expect keys");
    EXPECT_NE(running_->told.next(rebuild_kind::built).text, "") << option;
  }
}

TEST_F(saved, and_formatted_right_after_it) {
  NEEDS("clang-format-14", "clang-format-14");
  on_->write("lib.c", "#include \"value.h\"\nint value( void ){return   2+EXTRA  ;}\n");
  in_directory("clang-format-14 -i --style=Google lib.c");
  EXPECT_TRUE(running_->becomes(2));
  EXPECT_NE(support::read_file(on_->path("lib.c")).find("return 2 + EXTRA;"), std::string::npos);
}

TEST_F(saved, beside_swap_and_backup_files_that_mean_nothing) {
  for (const char* const name : {".lib.c.swp", "lib.c~", "4913", "#lib.c#", ".#lib.c", "lib.c.orig"}) {
    on_->write(name, source_of(9));
    on_->replace(name, source_of(8));
  }
  on_->write("lib.c", source_of(2));
  ASSERT_TRUE(running_->becomes(2));
  const rebuild_event built = running_->told.next(rebuild_kind::built);
  EXPECT_EQ(built.build, 2U) << running_->told.said();
  EXPECT_EQ(built.files, std::vector<std::string>{on_->path("lib.c")});
}

TEST(checkout, of_fifty_files_ends_in_one_library_of_the_last_state) {
  NEEDS("git", "git");
  NEEDS("make", "make");
  const temp_directory directory;
  const auto write_all = [&](int value) {
    std::string sum = "0";
    for (int i = 0; i < 50; ++i) {
      const std::string name = "part" + std::to_string(i);
      support::write_file(directory / name + ".c",
                          "int " + name + "(void) { return " + std::to_string(value) + "; }\n");
      sum += " + " + name + "()";
    }
    std::string all = "#include \"parts.h\"\nint value(void) { return " + sum + "; }\n";
    std::string header;
    for (int i = 0; i < 50; ++i) header += "int part" + std::to_string(i) + "(void);\n";
    support::write_file(directory / "parts.h", header);
    support::write_file(directory / "value.c", all);
  };
  support::write_file(directory / "Makefile",
                      "objects := $(patsubst %.c,%.o,$(wildcard *.c))\nlibvalue.so: $(objects)\n\t" +
                          support::c_compiler() + " -shared -o $@ $^\n%.o: %.c\n\t" + support::c_compiler() +
                          " -g -fPIC -c $<\n");
  const std::string git = "cd '" + directory.path().string() + "' && git -c user.name=a -c user.email=a@b.c ";
  write_all(1);
  support::write_file(directory / ".gitignore", "*.o\n*.so\n");
  support::shell(git + "init -q && " + git + "add . && " + git + "commit -qm one");
  write_all(2);
  support::shell(git + "checkout -qb two && " + git + "commit -qam two");
  rebuild_options options;
  options.command = {"make", "-j4"};
  options.directory = directory.path();
  session running(directory / "libvalue.so", options);
  ASSERT_TRUE(running.becomes(100));
  (void)running.told.next(rebuild_kind::built);
  support::shell(git + "checkout -q -");
  ASSERT_TRUE(running.becomes(50));
  // One build, or two when git was held up between two files for longer than make takes: each file is in one of them.
  std::size_t files = 0;
  while (files < 50 && !HasFailure()) files += running.told.next(rebuild_kind::built).files.size();
  EXPECT_EQ(files, 50U);
  support::shell(git + "checkout -q two");
  EXPECT_TRUE(running.becomes(100));
}

}  // namespace
