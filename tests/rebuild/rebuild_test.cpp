// SPDX-License-Identifier: MIT
// rebuild_test: from a save to the new code in the running program, with every build tool.
#include "project.hpp"

#include <sys/stat.h>

namespace {

using namespace rebuild_test;
using namespace std::chrono_literals;

class with_each_tool : public testing::TestWithParam<tool> {
 protected:
  void SetUp() override {
    for (const auto& [program, package] : programs_of(GetParam())) {
      if (!installed(program)) GTEST_SKIP() << program << " is not installed (Debian package " << package << ")";
    }
  }
};

TEST_P(with_each_tool, a_save_becomes_the_running_code) {
  const project on(GetParam());
  session running(on);
  ASSERT_TRUE(running.becomes(1)) << "built at the start";
  (void)running.told.next(rebuild_kind::built);
  on.write("lib.c", source_of(2));
  ASSERT_TRUE(running.becomes(2));
  const rebuild_event built = running.told.next(rebuild_kind::built);
  EXPECT_EQ(built.files, std::vector<std::string>{on.path("lib.c")});
  EXPECT_GT(built.times.ran, 0ns);
  on.replace("value.h", "#define EXTRA 10\nint value(void);\n");
  ASSERT_TRUE(running.becomes(12)) << "a header";
  on.replace("lib.c", source_of(3));
  ASSERT_TRUE(running.becomes(13));
}

TEST_P(with_each_tool, broken_code_is_told_with_its_place_and_the_old_code_goes_on) {
  const project on(GetParam());
  session running(on);
  ASSERT_TRUE(running.becomes(1));
  on.write("lib.c", "#include \"value.h\"\nint value(void) {\n  return missing;\n}\n");
  const rebuild_event failed = running.told.next(rebuild_kind::build_failed);
  const autoreload::diagnostic* const first = autoreload::first_error(failed.diagnostics);
  ASSERT_NE(first, nullptr) << failed.output;
  EXPECT_TRUE(first->file.ends_with("lib.c")) << first->file;
  EXPECT_EQ(first->line, 3U);
  EXPECT_EQ(to_string(failed), "build failed: " + to_string(*first));
  EXPECT_NE(failed.output.find("missing"), std::string::npos);
  EXPECT_EQ(running.value(), 1);
  on.write("lib.c", source_of(2));
  ASSERT_TRUE(running.becomes(2));
}

// CMake and Meson: an edit of the build files, which the tool itself takes in.
TEST_P(with_each_tool, an_edit_of_the_build_files_becomes_the_running_code) {
  const tool which = GetParam();
  const project on(which);
  session running(on);
  ASSERT_TRUE(running.becomes(1));
  (void)running.told.next(rebuild_kind::built);
  on.write("other.c", source_of(7));
  const std::string file = which == tool::ninja   ? "build/build.ninja"
                           : which == tool::make  ? "Makefile"
                           : which == tool::meson ? "meson.build"
                                                  : "CMakeLists.txt";
  std::string text = support::read_file(on.path(file));
  for (std::size_t at = 0; (at = text.find("lib.c", at)) != std::string::npos; at += 7) text.replace(at, 5, "other.c");
  // make does not know that a rule is another than before.
  if (which == tool::make)
    text += "\nlib.o: other.c Makefile\n\t" + support::c_compiler() + " -g -fPIC -c other.c -o lib.o\n";
  on.replace(file, text);
  EXPECT_TRUE(running.becomes(7));
}

INSTANTIATE_TEST_SUITE_P(rebuild, with_each_tool,
                         testing::Values(tool::ninja, tool::make, tool::cmake_ninja, tool::cmake_make, tool::meson),
                         [](const auto& which) { return name_of(which.param); });

TEST(rebuild, says_in_one_line_what_it_found_out) {
  const project on;
  session running(on);
  const rebuild_event ready = running.told.next(rebuild_kind::ready);
  EXPECT_TRUE(ready.text.starts_with("ninja -C " + on.path("build") + " libvalue.so")) << ready.text;
  EXPECT_EQ(running.builder().command(), "ninja -C " + on.path("build") + " libvalue.so");
  ASSERT_TRUE(running.becomes(1));
  (void)running.told.next(rebuild_kind::ready);  // ninja knows the headers now
  EXPECT_EQ(running.builder().sources(),
            (std::vector<std::string>{on.path("lib.c"), on.path("value.h"), on.path("build/build.ninja")}));
}

TEST(rebuild, takes_a_command_by_its_words) {
  const temp_directory directory;
  support::write_file(directory / "lib.c", "int value(void) { return 1; }\n");
  rebuild_options options;
  options.command = compile({"-g", "-shared", "-fPIC", "-o", "libvalue.so", "lib.c"});
  options.directory = directory.path();
  session running(directory / "libvalue.so", options);
  ASSERT_TRUE(running.becomes(1));
  (void)running.told.next(rebuild_kind::built);
  support::write_file(directory / "lib.c", "int value(void) { return 2; }\n");
  ASSERT_TRUE(running.becomes(2)) << "its debug information names its source";
}

TEST(rebuild, watches_what_it_is_told_when_there_is_no_debug_information) {
  const temp_directory directory;
  support::write_file(directory / "lib.c", "int value(void) { return 1; }\n");
  rebuild_options options;
  options.command = compile({"-shared", "-fPIC", "-o", "libvalue.so", "lib.c"});
  options.directory = directory.path();
  {
    session running(directory / "libvalue.so", options);
    const rebuild_event failed = running.told.next(rebuild_kind::failed);
    EXPECT_NE(to_string(failed).find("build it with -g, or name its sources"), std::string::npos) << to_string(failed);
  }
  options.sources = {"lib.c"};
  session running(directory / "libvalue.so", options);
  ASSERT_TRUE(running.becomes(1));
  support::write_file(directory / "lib.c", "int value(void) { return 2; }\n");
  ASSERT_TRUE(running.becomes(2));
}

TEST(rebuild, builds_when_it_is_asked_to) {
  const project on;
  rebuild_options options;
  options.build_at_start = false;
  session running(on, options);
  (void)running.told.next(rebuild_kind::ready);
  EXPECT_FALSE(std::filesystem::exists(on.library()));
  running.builder().rebuild();
  ASSERT_TRUE(running.becomes(1));
}

TEST(rebuild, says_why_an_edit_had_no_effect) {
  const project on;
  on.write("notes.txt", "not a source\n");
  rebuild_options options;
  options.sources = {on.path("notes.txt")};
  session running(on, options);
  (void)running.told.next(rebuild_kind::built);
  ASSERT_TRUE(running.becomes(1));
  on.write("notes.txt", "still not a source\n");
  EXPECT_EQ(running.told.next(rebuild_kind::no_effect).text,
            "notes.txt is no source of this library for ninja, which left it as it was");
  on.write("lib.c", source_of(1));
  EXPECT_EQ(running.told.next(rebuild_kind::no_effect).text, "lib.c was saved, and holds what it held before");
}

TEST(rebuild, says_that_the_same_library_came_out) {
  const temp_directory directory;
  support::write_file(directory / "lib.c", "int value(void) { return 1; }\n");
  rebuild_options options;
  options.command = compile({"-shared", "-fPIC", "-o", "libvalue.so", "lib.c"});
  options.directory = directory.path();
  options.sources = {"lib.c"};
  session running(directory / "libvalue.so", options);
  (void)running.told.next(rebuild_kind::built);
  support::write_file(directory / "lib.c", "int value(void) { return 1; }  // one\n");
  EXPECT_EQ(running.told.next(rebuild_kind::no_effect).text,
            "lib.c was built, and the same library came out: its code did not change");
}

TEST(rebuild, says_what_to_install_when_there_is_no_such_program) {
  const temp_directory directory;
  rebuild_options options;
  options.command = {"there-is-no-such-program"};
  options.directory = directory.path();
  session running(directory / "libvalue.so", options);
  const std::string said = to_string(running.told.next(rebuild_kind::failed));
  EXPECT_NE(said.find("\"there-is-no-such-program\" can't be started"), std::string::npos) << said;
  EXPECT_NE(said.find("No such file or directory"), std::string::npos) << said;
}

TEST(rebuild, ends_a_command_that_does_not_end) {
  const temp_directory directory;
  rebuild_options options;
  options.command = {"sh", "-c", "echo waiting for a lock; sleep 1000"};
  options.directory = directory.path();
  options.time_limit = 200ms;
  session running(directory / "libvalue.so", options);
  const std::string said = to_string(running.told.next(rebuild_kind::failed));
  EXPECT_NE(said.find("sh did not end within 200 ms"), std::string::npos) << said;
  EXPECT_NE(said.find("waiting for a lock"), std::string::npos) << said;
}

TEST(rebuild, ends_a_command_that_floods_its_output) {
  const temp_directory directory;
  rebuild_options options;
  options.command = {"yes"};
  options.directory = directory.path();
  options.flood_limit = 1'000'000;
  session running(directory / "libvalue.so", options);
  const rebuild_event failed = running.told.next(rebuild_kind::failed);
  EXPECT_NE(to_string(failed).find("yes printed more than 1000000 bytes"), std::string::npos) << to_string(failed);
  EXPECT_LE(failed.output.size(), options.output_limit + 100);
}

TEST(rebuild, says_that_a_command_asks_for_input) {
  const temp_directory directory;
  rebuild_options options;
  options.command = {"sh", "-c", "printf 'Overwrite? [y/N]'; read answer"};
  options.directory = directory.path();
  session running(directory / "libvalue.so", options);
  const rebuild_event failed = running.told.next(rebuild_kind::build_failed);
  ASSERT_TRUE(failed.failure) << failed.output;
  EXPECT_EQ(failed.failure->reason(), "the build asks for input: Overwrite? [y/N]");
}

TEST(rebuild, runs_no_build_file_that_others_may_write) {
  const project on;
  chmod(on.path("build/build.ninja").c_str(), 0666);
  session running(on);
  const rebuild_event failed = running.told.next(rebuild_kind::failed);
  EXPECT_EQ(failed.failure->path(), on.path("build/build.ninja"));
  EXPECT_NE(failed.failure->reason().find("everybody may write"), std::string::npos) << failed.failure->what();
  EXPECT_FALSE(std::filesystem::exists(on.library()));
  chmod(on.path("build/build.ninja").c_str(), 0644);  // the advice
  ASSERT_TRUE(running.becomes(1));
  (void)running.told.next(rebuild_kind::built);
  chmod(on.path("build").c_str(), 0777);
  on.write("lib.c", source_of(2));
  EXPECT_NE(running.told.next(rebuild_kind::failed).text.find("everybody may write to its"), std::string::npos)
      << running.told.said();
  chmod(on.path("build").c_str(), 0755);
  on.write("lib.c", source_of(3));
  EXPECT_TRUE(running.becomes(3));
}

TEST(rebuild, waits_for_a_build_tool_to_appear) {
  const temp_directory directory;
  support::write_file(directory / "lib.c", "int value(void) { return 1; }\n");
  session running(directory / "libvalue.so");
  const rebuild_event failed = running.told.next(rebuild_kind::failed);
  EXPECT_NE(to_string(failed).find("rebuild_options::command"), std::string::npos) << to_string(failed);
  support::write_file(directory / "Makefile",
                      "libvalue.so: lib.c\n\t" + support::c_compiler() + " -g -shared -fPIC -o $@ lib.c\n");
  EXPECT_TRUE(running.becomes(1));
}

TEST(rebuild, keeps_colours_where_they_are_wanted) {
  for (const bool wanted : {false, true}) {
    const temp_directory directory;
    rebuild_options options;
    options.command = {"printf", "\\033[31mlib.c:1:2: error: red\\033[m\\n"};
    options.directory = directory.path();
    options.colours = wanted;
    session running(directory / "libvalue.so", options);
    const rebuild_event ended = running.told.next(rebuild_kind::no_effect);
    EXPECT_EQ(ended.output, wanted ? "\033[31mlib.c:1:2: error: red\033[m\n" : "lib.c:1:2: error: red\n");
    EXPECT_EQ(ended.diagnostics.at(0).message, "red");
  }
}

TEST(rebuild, refuses_impossible_options) {
  EXPECT_THROW(rebuilder(""), autoreload::error);
  rebuild_options options;
  options.time_limit = 0ms;
  EXPECT_THROW(rebuilder("lib.so", options), autoreload::error);
  options = {};
  options.command = {""};
  EXPECT_THROW(rebuilder("lib.so", options), autoreload::error);
}

}  // namespace
