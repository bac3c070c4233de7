// SPDX-License-Identifier: MIT
// parts_test: what the rebuilder reads of debug information, depfiles and make's database, and how it compares files.
#include <sys/stat.h>

#include <algorithm>

#include "project.hpp"
#include "rebuild/build_tool.hpp"
#include "rebuild/judge.hpp"
#include "rebuild/line_files.hpp"
#include "rebuild/sources.hpp"

namespace {

using namespace autoreload::building;
using rebuild_test::installed;
using support::temp_directory;

bool has(const std::vector<std::string>& list, const std::string& name) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

TEST(line_files, are_found_in_every_version_of_dwarf_by_both_compilers) {
  const temp_directory directory;
  std::filesystem::create_directory(directory / "sub directory");
  support::write_file(directory / "a.c", "#include \"sub directory/b.h\"\nint a(void) { return b(); }\n");
  support::write_file(directory / "sub directory/b.h", "static inline int b(void) { return 1; }\n");
  for (const std::string compiler : {"gcc", "clang"}) {
    if (!installed(compiler)) continue;
    for (const std::string version : {"-gdwarf-2", "-gdwarf-3", "-gdwarf-4", "-gdwarf-5"}) {
      support::shell("cd '" + directory.path().string() + "' && " + compiler + " " + version +
                     " -shared -fPIC -o a.so a.c");
      debug_file library = find_debug_file(directory / "a.so");
      const std::vector<std::string> found = list_line_files(library);
      const bool absolute = version == "-gdwarf-5" || has(found, directory / "a.c");
      EXPECT_TRUE(has(found, absolute ? directory / "a.c" : "a.c"))
          << compiler << version << testing::PrintToString(found);
      const std::vector<std::string> users = users_files({found, {directory.path()}, {}, {}});
      EXPECT_EQ(users, (std::vector<std::string>{directory / "a.c", directory / "sub directory/b.h"}))
          << compiler << version;
    }
  }
}

TEST(line_files, of_damaged_libraries_are_fewer_and_never_a_crash) {
  const temp_directory directory;
  support::build_library(directory / "a.so", "int a(void) { return 1; }\n");
  const std::string whole = support::read_file(directory / "a.so");
  const auto read = [](std::span<const std::byte> bytes) {
    debug_file damaged(std::vector<std::byte>(bytes.begin(), bytes.end()));
    (void)list_line_files(damaged);
  };
  for (std::size_t size = 0; size < whole.size(); size += 61) read(std::as_bytes(std::span(whole).first(size)));
  for (std::size_t at = 0; at < whole.size(); at += 7) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x5a);
    read(std::as_bytes(std::span(damaged)));
  }
  debug_file none = find_debug_file(directory / "there is no such file");
  EXPECT_TRUE(list_line_files(none).empty());
}

TEST(depfile, is_read_with_its_escapes_and_phony_targets) {
  EXPECT_EQ(read_depfile("lib.o: lib.c my\\ file.h \\\n  sub/$$x.h \\\r\n ../a\\#b.h\n\nlib.h:\n\nmy\\ file.h:\n"),
            (std::vector<std::string>{"lib.c", "my file.h", "sub/$x.h", "../a#b.h"}));
  EXPECT_TRUE(read_depfile("").empty());
  EXPECT_TRUE(read_depfile("lib.o:\n").empty());
}

TEST(make, tells_what_a_target_is_made_of_and_what_is_made) {
  if (!installed("make")) GTEST_SKIP() << "make is not installed (Debian package make)";
  const temp_directory directory;
  for (const char* const name : {"a.c", "b.c", "a.h", "other.c", "version.in"})
    support::write_file(directory / name, "");
  support::write_file(
      directory / "Makefile",
      "libx.so: a.o b.o | out\n\tcc -shared -o $@ a.o b.o\na.o: a.h version.h\nversion.h: version.in\n\tcp $< $@\n"
      "out:\n\tmkdir out\nother: other.c\n");
  const tool_inputs found = read_make_database(
      support::shell("cd '" + directory.path().string() + "' && LC_ALL=C make -pn libx.so"), "libx.so");
  for (const char* const name : {"a.c", "b.c", "a.h", "version.in"}) EXPECT_TRUE(has(found.sources, name)) << name;
  EXPECT_FALSE(has(found.sources, "other.c"));
  EXPECT_FALSE(has(found.sources, "version.h"));
  for (const char* const name : {"a.o", "b.o", "version.h", "libx.so"}) EXPECT_TRUE(has(found.products, name)) << name;
}

TEST(users_files, are_those_that_a_person_edits) {
  const temp_directory directory;
  std::filesystem::create_directories(directory / "build");
  for (const char* const name : {"a.c", "a.h", "build/config.h", "made.h"}) support::write_file(directory / name, "");
  const std::vector<std::string> names{"../a.c",
                                       "a.h",
                                       "config.h",
                                       "made.h",
                                       "/usr/include/stdio.h",
                                       "<built-in>",
                                       "",
                                       "missing.h",
                                       directory / "build/../a.c"};
  EXPECT_EQ(users_files({names, {directory / "build", directory.path()}, {"made.h"}, directory / "build"}),
            (std::vector<std::string>{directory / "a.c", directory / "a.h"}));
  // As a compiler's cache has it, or a build in a container: the end of the name counts.
  std::filesystem::create_directories(directory / "sub");
  support::write_file(directory / "sub/b.c", "");
  EXPECT_EQ(
      users_files({{"/elsewhere/project/sub/b.c", "/elsewhere/a.c", "/elsewhere/none.c"}, {directory.path()}, {}, {}}),
      (std::vector<std::string>{directory / "a.c", directory / "sub/b.c"}));
  // All in the build directory: then they can't all be its products.
  EXPECT_EQ(users_files({{"config.h"}, {directory / "build"}, {}, directory / "build"}),
            (std::vector<std::string>{directory / "build/config.h"}));
}

timespec long_after() { return {4'000'000'000, 0}; }

TEST(source_states, differ_by_content_and_not_by_time) {
  const temp_directory directory;
  const std::string file = directory / "a.c";
  support::write_file(file, "one");
  source_states states;
  states.watch({file}, long_after());
  EXPECT_TRUE(states.changed().empty());
  support::write_file(file, "two");
  EXPECT_EQ(states.changed(), std::vector<std::string>{file});
  EXPECT_EQ(states.changed(), std::vector<std::string>{file}) << "until it is accepted";
  support::write_file(file, "one");
  EXPECT_TRUE(states.changed().empty()) << "as it was built";
  EXPECT_EQ(states.touched(), std::vector<std::string>{file});
  std::filesystem::remove(file);
  EXPECT_TRUE(states.changed().empty()) << "an editor is about to put it back";
  support::write_file(file, "three");
  EXPECT_EQ(states.changed(), std::vector<std::string>{file});
  states.accept();
  states.complete();
  EXPECT_TRUE(states.changed().empty());
  states.forget();
  EXPECT_EQ(states.changed(), std::vector<std::string>{file});
}

TEST(source_states, compare_a_long_file_from_where_it_was_edited_last) {
  const temp_directory directory;
  const std::string file = directory / "long.c";
  std::string text(1'000'000, 'x');
  const auto save = [&](std::size_t at, char letter) {
    text[at] = letter;
    support::write_file(file, text);
  };
  save(0, 'a');
  source_states states;
  states.watch({file}, long_after());
  const auto build = [&] {
    states.accept();
    states.complete();
  };
  for (const std::size_t at : {std::size_t{0}, text.size() - 1, std::size_t{500'000}, std::size_t{500'001}}) {
    save(at, 'b');
    EXPECT_EQ(states.changed(), std::vector<std::string>{file}) << at;
    build();
    EXPECT_TRUE(states.changed().empty()) << at;
    save(at, 'b');
    EXPECT_TRUE(states.changed().empty()) << "it holds what it held";
  }
  text += "one line more\n";
  save(0, 'b');
  EXPECT_EQ(states.changed(), std::vector<std::string>{file}) << "longer";
  build();
  text.resize(text.size() / 2);
  save(0, 'b');
  EXPECT_EQ(states.changed(), std::vector<std::string>{file}) << "shorter";
  build();
  EXPECT_TRUE(states.changed().empty());
}

TEST(source_states, name_a_file_again_that_was_saved_before_it_was_read_to_its_end) {
  const temp_directory directory;
  const std::string file = directory / "a.c";
  support::write_file(file, "one");
  source_states states;
  states.watch({file}, long_after());
  support::write_file(file, "two");
  EXPECT_EQ(states.changed(), std::vector<std::string>{file});
  states.accept();
  support::write_file(file, "three");
  states.complete();
  EXPECT_EQ(states.changed(), std::vector<std::string>{file}) << "the build may have read either";
  states.accept();
  states.complete();
  EXPECT_TRUE(states.changed().empty());
}

TEST(source_states, take_a_new_file_for_changed_when_it_was_written_since_the_build) {
  const temp_directory directory;
  const std::string file = directory / "a.c";
  support::write_file(file, "one");
  source_states after;
  after.watch({file}, {1, 0});
  EXPECT_EQ(after.changed(), std::vector<std::string>{file});
  source_states before;
  before.watch({file}, long_after());
  EXPECT_TRUE(before.changed().empty());
}

TEST(source_states, make_a_source_newer_that_was_saved_while_a_build_ran) {
  const temp_directory directory;
  const std::string file = directory / "a.c";
  support::write_file(file, "one");
  struct stat saved {};
  ASSERT_EQ(stat(file.c_str(), &saved), 0);
  source_states states;
  states.watch({file}, long_after());
  const auto times = [&] {
    struct stat now {};
    EXPECT_EQ(stat(file.c_str(), &now), 0);
    return std::pair(now.st_mtim.tv_sec, now.st_mtim.tv_nsec);
  };
  const auto before = times();
  states.make_newer_than({file}, {1, 0}, {2, 0});
  EXPECT_EQ(times(), before) << "saved after that build";
  states.make_newer_than({file}, {1, 0}, long_after());
  EXPECT_GT(times(), before);
  EXPECT_TRUE(states.changed().empty());
  EXPECT_TRUE(states.touched().empty()) << "its own doing is no save";
}

TEST(judge, finds_a_question_that_waits_for_an_answer) {
  EXPECT_EQ(open_question("Overwrite? [y/N]"), "Overwrite? [y/N]");
  EXPECT_EQ(open_question("line\nPassword: "), "Password:");
  EXPECT_EQ(open_question("sh: 1: cannot open /dev/tty: No such device or address\n"), "it opens /dev/tty");
  EXPECT_EQ(open_question("done.\n"), "");
  EXPECT_EQ(open_question("50 %"), "");
  EXPECT_EQ(open_question(""), "");
}

TEST(judge, writes_short_texts) {
  EXPECT_EQ(short_list({"/a/lib.c"}), "lib.c");
  EXPECT_EQ(short_list({"/a/lib.c", "/a/b.h"}), "lib.c and b.h");
  EXPECT_EQ(short_list({"/a/lib.c", "/a/b.h", "/a/c.h", "d"}), "lib.c, b.h and 2 more");
  EXPECT_EQ(short_time(std::chrono::microseconds(3'400)), "3.4 ms");
  EXPECT_EQ(short_time(std::chrono::milliseconds(38)), "38 ms");
  EXPECT_EQ(short_time(std::chrono::milliseconds(1234)), "1.2 s");
}

}  // namespace
