// SPDX-License-Identifier: MIT
// compiler_test: libraries without a build tool, whose compiler's command is found out and proved.
#include <sys/stat.h>

#include <algorithm>
#include <fstream>

#include "project.hpp"
#include "rebuild/compile_database.hpp"
#include "rebuild/compile_steps.hpp"
#include "rebuild/compile_units.hpp"
#include "rebuild/line_files.hpp"
#include "rebuild/link_facts.hpp"

namespace {

using namespace rebuild_test;
using autoreload::building::compile_options;
using autoreload::building::debug_file;
using autoreload::building::find_debug_file;

#define NEEDS(program, package) \
  if (!installed(program)) GTEST_SKIP() << (program) << " is not installed (Debian package " << (package) << ")"

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

// A library of two sources and a header in a directory of its own, built by hand.
class by_hand : public testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::create_directories(path("include/deep"));
    write(
        "lib.c",
        "#include \"deep/value.h\"\nint part(void);\ndouble sqrt(double);\ndouble root(double x) { return sqrt(x); }\n"
        "int value(void) { return part() + EXTRA; }\n");
    write("part.c", "int part(void) { return 1; }\n");
    write("include/deep/value.h", "#define EXTRA 0\nint value(void);\n");
  }
  [[nodiscard]] std::string path(const std::string& name) const { return directory_ / ("my library/" + name); }
  [[nodiscard]] std::string library() const { return path("libvalue.so"); }
  void write(const std::string& name, const std::string& text) const { support::write_file(path(name), text); }
  void in_directory(const std::string& command) const { support::shell("cd '" + path("") + "' && " + command); }
  void rewrite_part(int value) const { write("part.c", "int part(void) { return " + std::to_string(value) + "; }\n"); }
  // From the first event to a header, by whatever command was found.
  void expect_that_saves_are_built(session& running, const std::string& command) {
    const rebuild_event ready = running.told.next(rebuild_kind::ready);
    EXPECT_TRUE(has(ready.text, command)) << ready.text;
    ASSERT_TRUE(running.becomes(1));
    rewrite_part(2);
    ASSERT_TRUE(running.becomes(2));
    write("include/deep/value.h", "#define EXTRA 40\nint value(void);\n");
    ASSERT_TRUE(running.becomes(42)) << "a header of which the debug information has nothing but a macro";
    write("part.c", "int part(void) { return missing; }\n");
    EXPECT_TRUE(has(running.told.next(rebuild_kind::build_failed).text, "part.c:1:25: error:"));
    EXPECT_EQ(running.value(), 42);
    rewrite_part(3);
    EXPECT_TRUE(running.becomes(43));
  }

 private:
  temp_directory directory_;
};

TEST_F(by_hand, gcc_records_its_options_and_the_headers_are_found) {
  NEEDS("gcc", "gcc");
  in_directory(
      "gcc -g -O2 -fPIC -std=gnu99 -Iinclude -shared -Wl,-soname,libvalue.so.1 -o libvalue.so lib.c part.c -lm");
  session running(library());
  expect_that_saves_are_built(running, "-O2 -std=gnu99 -fPIC");
  debug_file built = find_debug_file(library());
  const std::vector<std::string> link = autoreload::building::link_options(built);
  EXPECT_NE(std::find(link.begin(), link.end(), "-Wl,-soname,libvalue.so.1"), link.end());
  EXPECT_NE(std::find(link.begin(), link.end(), "-l:libm.so.6"), link.end());
}

TEST_F(by_hand, clang_records_its_options_when_it_is_told_to) {
  NEEDS("clang", "clang");
  in_directory("clang -g -grecord-command-line -O2 -fPIC -DUNUSED='1' -Iinclude -shared -o libvalue.so lib.c part.c");
  session running(library());
  expect_that_saves_are_built(running, "-grecord-command-line -O2 -fPIC");
}

TEST_F(by_hand, clang_records_nothing_by_itself_and_the_usual_options_are_tried) {
  NEEDS("clang", "clang");
  in_directory("clang -g -O2 -fPIC -Iinclude -shared -o libvalue.so lib.c part.c");
  session running(library());
  expect_that_saves_are_built(running, "-g -O2 -fPIC");
}

TEST_F(by_hand, each_linker_is_known_by_what_it_leaves) {
  NEEDS("gcc", "gcc");
  for (const std::string linker : {"bfd", "gold", "lld", "mold"}) {
    if (!installed(linker == "mold" ? linker : "ld." + linker)) continue;
    rewrite_part(1);
    write("include/deep/value.h", "#define EXTRA 0\nint value(void);\n");
    in_directory("gcc -g -fPIC -Iinclude -shared -fuse-ld=" + linker + " -o libvalue.so lib.c part.c");
    session running(library());
    (void)running.told.next(rebuild_kind::ready);
    ASSERT_TRUE(running.becomes(1)) << linker;
    rewrite_part(2);
    EXPECT_TRUE(running.becomes(2)) << linker;
  }
}

TEST_F(by_hand, a_library_that_was_linked_with_none_is_again) {
  NEEDS("gcc", "gcc");
  write("lib.c", "#include \"deep/value.h\"\nint part(void);\nint value(void) { return part() + EXTRA; }\n");
  for (const std::string option : {"-nostdlib", "-nodefaultlibs"}) {
    rewrite_part(1);
    write("include/deep/value.h", "#define EXTRA 0\nint value(void);\n");
    in_directory("gcc -g -fPIC -Iinclude -shared " + option + " -o libvalue.so lib.c part.c");
    session running(library());
    expect_that_saves_are_built(running, "-g -fPIC");
  }
}

TEST_F(by_hand, sources_that_were_compiled_differently_are_again) {
  NEEDS("gcc", "gcc");
  in_directory("gcc -g -O2 -fPIC -Iinclude -c lib.c && gcc -g -O0 -fPIC -c part.c");
  in_directory("gcc -shared -nostdlib -o libvalue.so lib.o part.o");
  session running(library());
  expect_that_saves_are_built(running, "lib.c and part.c");
}

#ifdef AUTORELOAD_WITH_JSON
TEST_F(by_hand, compile_commands_json_knows_what_debug_information_leaves_out) {
  NEEDS("gcc", "gcc");
  std::filesystem::create_directories(path("build"));
  write("part.c", "int part(void) { return PART; }\n");
  in_directory("gcc -g -fPIC -DPART='0+1' -Iinclude -shared -o libvalue.so lib.c part.c");
  {
    session running(library());
    const std::string said = to_string(running.told.next(rebuild_kind::failed));
    EXPECT_TRUE(has(said, "part.c:1:")) << said;
    EXPECT_TRUE(has(said, "undeclared (first use")) << said;
    EXPECT_TRUE(has(said, "rebuild_options::command")) << said;
  }
  const std::string common = R"("directory": ")" + path("") + R"(", )";
  write("build/compile_commands.json",
        "[{" + common + R"("file": "lib.c", "command": "gcc -g -fPIC -DPART='0+1' -Iinclude -c -o lib.o lib.c"}, {)" +
            common + R"("file": "part.c", "arguments": ["gcc", "-g", "-fPIC", "-DPART=0+1", "-Iinclude", "-c", "part.c"]
}])");
  session running(library());
  expect_that_saves_are_built(running, "compile_commands.json");
}

TEST_F(by_hand, a_database_that_others_may_write_is_not_run) {
  NEEDS("gcc", "gcc");
  in_directory("gcc -g -fPIC -Iinclude -shared -o libvalue.so lib.c part.c");
  const std::string common = R"({"directory": ")" + path("") + R"(", "file": ")";
  write("compile_commands.json", "[" + common + R"(lib.c", "command": "gcc -g -fPIC -Iinclude -c lib.c"}, )" + common +
                                     R"(part.c", "command": "gcc -g -fPIC -Iinclude -c part.c"}])");
  chmod(path("compile_commands.json").c_str(), 0666);
  session running(library());
  const rebuild_event failed = running.told.next(rebuild_kind::failed);
  EXPECT_EQ(failed.failure->path(), path("compile_commands.json"));
  EXPECT_TRUE(has(failed.failure->reason(), "everybody may write")) << failed.failure->what();
}

TEST(compile_database, damaged_or_foreign_is_nothing) {
  using autoreload::building::read_compile_database;
  EXPECT_EQ(
      read_compile_database(R"([{"directory": "/a", "file": "b.c", "command": "cc -c b.c"}, {"file": 1}, 7])", "/")
          .size(),
      1U);
  EXPECT_EQ(
      read_compile_database(R"([{"directory": "x", "file": "../b.c", "command": "cc -c"}])", "/a/build")[0].source,
      "/a/build/b.c");
  for (const char* const text :
       {"", "[", "{}", "[[[[", "\"text\"", "[{\"file\": \"b.c\", \"command\": \"cc | sh\"}]"}) {
    EXPECT_TRUE(read_compile_database(text, "/").empty()) << text;
  }
}
#endif

TEST_F(by_hand, a_library_that_its_command_does_not_make_again_is_left_alone) {
  NEEDS("gcc", "gcc");
  in_directory(
      "gcc -g -fPIC -Iinclude -shared -o libvalue.so lib.c part.c -DUNSEEN -Wl,--build-id=none "
      "-Wl,-z,max-page-size=65536");
  session running(library());
  const std::string said = to_string(running.told.next(rebuild_kind::failed));
  EXPECT_TRUE(has(said, "makes another library: its ")) << said;
  ASSERT_TRUE(running.becomes(1));
  rewrite_part(5);
  in_directory("gcc -g -fPIC -Iinclude -shared -o libvalue.so lib.c part.c");  // now by one that does
  ASSERT_TRUE(running.becomes(5));
  (void)running.told.next(rebuild_kind::ready);
  rewrite_part(6);
  EXPECT_TRUE(running.becomes(6));
}

TEST_F(by_hand, without_a_temporary_directory_that_is_said) {
  NEEDS("gcc", "gcc");
  in_directory("gcc -g -fPIC -Iinclude -shared -o libvalue.so lib.c part.c");
  const char* const before = std::getenv("TMPDIR");
  const std::string kept = before != nullptr ? before : "";
  setenv("TMPDIR", path("gone").c_str(), 1);
  session running(library());
  const std::string said = to_string(running.told.next(rebuild_kind::failed));
  EXPECT_TRUE(has(said, "there is no temporary directory")) << said;
  before != nullptr ? setenv("TMPDIR", kept.c_str(), 1) : unsetenv("TMPDIR");
}

TEST_F(by_hand, a_source_that_was_saved_since_proves_nothing) {
  NEEDS("gcc", "gcc");
  in_directory("gcc -g -fPIC -Iinclude -shared -o libvalue.so lib.c part.c");
  rewrite_part(2);
  session running(library());
  const std::string said = to_string(running.told.next(rebuild_kind::failed));
  EXPECT_TRUE(has(said, "part.c was saved after it was built")) << said;
  EXPECT_TRUE(has(said, "build it once as always")) << said;
  in_directory("gcc -g -fPIC -Iinclude -shared -o libvalue.so lib.c part.c");  // the advice
  ASSERT_TRUE(running.becomes(2));
  (void)running.told.next(rebuild_kind::ready);
  rewrite_part(3);
  EXPECT_TRUE(running.becomes(3));
}

TEST_F(by_hand, a_library_that_others_may_write_says_nothing_that_is_run) {
  NEEDS("gcc", "gcc");
  in_directory("gcc -g -fPIC -Iinclude -shared -o libvalue.so lib.c part.c");
  chmod(library().c_str(), 0777);
  session running(library());
  const rebuild_event failed = running.told.next(rebuild_kind::failed);
  EXPECT_TRUE(has(failed.failure->reason(), "everybody may write")) << failed.failure->what();
}

TEST_F(by_hand, a_command_that_another_build_changed_is_found_out_again) {
  NEEDS("gcc", "gcc");
  in_directory("gcc -g -O0 -fPIC -Iinclude -shared -o libvalue.so lib.c part.c");
  session running(library());
  EXPECT_TRUE(has(running.told.next(rebuild_kind::ready).text, "-O0 -fPIC"));
  ASSERT_TRUE(running.becomes(1));
  (void)running.told.next(rebuild_kind::no_effect);
  in_directory("gcc -g -O3 -fPIC -Iinclude -shared -o libvalue.so lib.c part.c");
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (!has(running.builder().command(), "-O3") && std::chrono::steady_clock::now() < deadline)
    std::this_thread::yield();
  EXPECT_TRUE(has(running.builder().command(), "-O3")) << running.told.said();
}

// ---- where the debug information is

TEST_F(by_hand, compressed_debug_information_is_read) {
  NEEDS("gcc", "gcc");
  for (const std::string kind : {"zlib", "zlib-gnu", "zstd"}) {
    for (const std::string version : {"4", "5"}) {
      in_directory("gcc -gdwarf-" + version + " -fPIC -Iinclude -shared -o plain.so lib.c part.c");
      try {
        in_directory("objcopy --compress-debug-sections=" + kind + " plain.so libvalue.so");
      } catch (const std::exception&) {
        continue;  // binutils before 2.40 has no zstd
      }
      debug_file plain = find_debug_file(path("plain.so"));
      debug_file packed = find_debug_file(library());
      EXPECT_EQ(list_line_files(packed), list_line_files(plain)) << kind << version;
      const auto units = list_compile_units(packed);
      ASSERT_EQ(units.size(), 2U) << kind << version << packed.problem();
      EXPECT_EQ(units[0].source, "lib.c");
      EXPECT_TRUE(has(units[0].producer, "GNU C"));
      EXPECT_EQ(packed.problem(), "");
    }
  }
}

TEST_F(by_hand, compressed_debug_information_leads_to_the_command_too) {
  NEEDS("gcc", "gcc");
  in_directory("gcc -g -gz=zlib -O1 -fPIC -Iinclude -shared -o libvalue.so lib.c part.c");
  session running(library());
  expect_that_saves_are_built(running, "-O1 -fPIC");
}

TEST_F(by_hand, debug_information_in_a_separate_file_is_found_and_another_build_s_is_not) {
  NEEDS("gcc", "gcc");
  const auto split = [&](const std::string& into) {
    in_directory(
        "gcc -g -fPIC -Iinclude -shared -o whole.so lib.c part.c && mkdir -p .debug && objcopy --only-keep-debug "
        "whole.so " +
        into + " && objcopy --strip-debug --add-gnu-debuglink=" + into + " whole.so libvalue.so");
  };
  for (const std::string into : {"libvalue.so.debug", ".debug/libvalue.so.debug"}) {
    split(into);
    debug_file found = find_debug_file(library());
    EXPECT_EQ(list_compile_units(found).size(), 2U) << into;
    std::filesystem::remove(path("libvalue.so.debug"));
  }
  split("libvalue.so.debug");
  rewrite_part(7);
  std::filesystem::remove(path(".debug/libvalue.so.debug"));
  in_directory(
      "gcc -g -fPIC -Iinclude -shared -o other.so lib.c part.c && objcopy --only-keep-debug other.so "
      "libvalue.so.debug");
  debug_file found = find_debug_file(library());
  EXPECT_TRUE(list_compile_units(found).empty()) << "its build-id is another";
}

TEST_F(by_hand, split_debug_information_is_said_to_name_no_source) {
  NEEDS("gcc", "gcc");
  in_directory("gcc -g -gsplit-dwarf -fPIC -Iinclude -shared -o libvalue.so lib.c part.c");
  session running(library());
  const std::string said = to_string(running.told.next(rebuild_kind::failed));
  EXPECT_TRUE(has(said, "no debug information of it names a source")) << said;
}

TEST_F(by_hand, every_version_of_dwarf_names_its_compiler_and_damage_is_no_crash) {
  for (const std::string compiler : {"gcc", "clang"}) {
    if (!installed(compiler)) continue;
    for (const std::string version : {"2", "3", "4", "5"}) {
      in_directory(compiler + " -gdwarf-" + version + " -fPIC -Iinclude -shared -o libvalue.so lib.c part.c");
      debug_file found = find_debug_file(library());
      const auto units = list_compile_units(found);
      ASSERT_EQ(units.size(), 2U) << compiler << version;
      EXPECT_EQ(units[1].source, "part.c") << compiler << version;
      EXPECT_EQ(units[1].directory + "/", path("")) << compiler << version;
      EXPECT_TRUE(has(units[1].producer, compiler == "gcc" ? "GNU C" : "clang version")) << units[1].producer;
    }
  }
  const std::string whole = support::read_file(library());
  const auto read_all = [](std::string bytes) {
    const auto all = std::as_bytes(std::span(bytes));
    debug_file damaged(std::vector<std::byte>(all.begin(), all.end()));
    (void)list_compile_units(damaged);
    (void)list_line_files(damaged);
    (void)link_options(damaged);
    debug_file again(std::vector<std::byte>(all.begin(), all.end()));
    (void)first_difference(damaged, again);
  };
  for (std::size_t size = 0; size < whole.size(); size += 97) read_all(whole.substr(0, size));
  for (std::size_t at = 0; at < whole.size(); at += 11) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x5a);
    read_all(std::move(damaged));
  }
}

TEST(compile_options, keep_what_says_how_a_source_is_compiled) {
  using words = std::vector<std::string>;
  EXPECT_EQ(compile_options({"-O2", "-g", "-c", "-o", "a.o", "-I", "inc", "-DX=1", "a.c", "-MD", "-MF", "a.d",
                             "-shared", "-lm", "-Wl,-z,now", "-include", "x.h", "-oa.o", "-Wall"}),
            (words{"-O2", "-g", "-I", "inc", "-DX=1", "-include", "x.h", "-Wall"}));
  EXPECT_EQ(compile_options({}), words{});
  EXPECT_EQ(compile_options({"-o"}), words{});
}

}  // namespace
