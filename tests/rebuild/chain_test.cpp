// SPDX-License-Identifier: MIT
// chain_test: builds that go before the build tool, by its own commands or by tcc, and the tool that follows.
#include <unistd.h>
#include "project.hpp"

#include "rebuild/chain.hpp"

namespace {

using namespace rebuild_test;
using autoreload::rebuild_chain;
using autoreload::building::shell_words;
namespace building = autoreload::building;

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

class with_each_database : public testing::TestWithParam<tool> {
 protected:
  void SetUp() override {
    for (const auto& [program, package] : programs_of(GetParam())) {
      if (!installed(program)) GTEST_SKIP() << program << " is not installed (Debian package " << package << ")";
    }
  }
  static rebuild_options first(rebuild_chain chain) {
    rebuild_options options;
    options.chain = chain;
    return options;
  }
  // A session in which the chain of lib.c is known: it was saved and built once by the tool.
  static void warm_up(const project& on, session& running) {
    ASSERT_TRUE(running.becomes(1));
    (void)running.told.next(rebuild_kind::built);
    // The list of the sources is made before the chains are asked for; the next build waits for both, or interrupts.
    for (int value = 2; value < 40; ++value) {
      on.write("lib.c", source_of(value));
      const rebuild_event built = running.told.next(rebuild_kind::built);
      if (has(built.text, ", without ") || has(built.text, ", by t")) return;
    }
    FAIL() << "no chain was ever run:\n" << running.told.said();
  }
};

TEST_P(with_each_database, a_save_is_built_without_the_tool_and_the_tool_then_finds_it_done) {
  const project on(GetParam());
  session running(on, first(rebuild_chain::direct));
  warm_up(on, running);
  on.write("lib.c", source_of(100));
  ASSERT_TRUE(running.becomes(100));
  on.write("lib.c", "#include \"value.h\"\nint value(void) { return missing; }\n");
  const rebuild_event failed = running.told.next(rebuild_kind::build_failed);
  EXPECT_TRUE(has(failed.text, "lib.c:2:")) << failed.text;
  on.write("lib.c", source_of(101));
  ASSERT_TRUE(running.becomes(101));
  // Two files at once, and a header that ninja knows by its depfile only: the tool's business.
  on.write("value.h", "#define EXTRA 1000\nint value(void);\n");
  ASSERT_TRUE(running.becomes(1101));
  on.write("lib.c", source_of(102));
  on.write("value.h", "#define EXTRA 2000\nint value(void);\n");
  EXPECT_TRUE(running.becomes(2102));
}

TEST_P(with_each_database, a_change_of_the_build_files_makes_the_chain_void) {
  const project on(GetParam());
  session running(on, first(rebuild_chain::direct));
  warm_up(on, running);
  const std::string file = GetParam() == tool::ninja   ? "build/build.ninja"
                           : GetParam() == tool::meson ? "meson.build"
                                                       : "CMakeLists.txt";
  on.write("other.c", source_of(7));
  std::string text = support::read_file(on.path(file));
  for (std::size_t at = 0; (at = text.find("lib.c", at)) != std::string::npos; at += 7) text.replace(at, 5, "other.c");
  on.replace(file, text);
  ASSERT_TRUE(running.becomes(7));
  on.write("other.c", source_of(8));
  EXPECT_TRUE(running.becomes(8));
}

TEST_P(with_each_database, tcc_goes_first_and_the_real_build_follows) {
  if (!installed("tcc")) GTEST_SKIP() << "tcc is not installed (Debian package tcc)";
  const project on(GetParam());
  session running(on, first(rebuild_chain::tcc));
  warm_up(on, running);
  on.write("lib.c", source_of(100));
  ASSERT_TRUE(running.becomes(100));
  rebuild_event built = running.told.next(rebuild_kind::built);
  while (!has(built.text, "took the place of tcc's")) {
    EXPECT_TRUE(has(built.text, "by tcc: the optimised one follows") || built.build < 60) << running.told.said();
    built = running.told.next(rebuild_kind::built);
    ASSERT_FALSE(built.text.empty());
  }
  EXPECT_EQ(running.value(), 100);
  // What tcc can't compile goes the usual way.
  on.write("lib.c", "#include \"value.h\"\nint value(void) { return __builtin_popcountll(0xffff) + 100 + EXTRA; }\n");
  EXPECT_TRUE(running.becomes(116));
}

// A library that calls functions of libc by versions, and one that is linked statically into each library.
std::string source_with_libc(int value) {
  return "#include <pthread.h>\n#include <stdio.h>\n#include <stdlib.h>\n" + source_of(value) +
         "static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;\n"
         "static void say(void) { fputs(\"end\\n\", stderr); }\n"
         "int signal_it(void) { return atexit(say) + pthread_cond_signal(&condition); }\n";
}

// What it needs, and what it takes from there by which version, as a text.
std::string bound_to(const std::string& library) {
  return support::shell("readelf -W -d '" + library + "' | grep -o 'NEEDED.*\\|SONAME.*'; readelf -W --dyn-syms '" +
                        library + "' | awk '$7 == \"UND\" && NF > 7 {print $4, $5, $8}' | sort");
}

// A project that the tool has built once, without a rebuilder that would follow.
class built_once {
 public:
  explicit built_once(const project& on) {
    for (char** entry = environ; *entry != nullptr; ++entry) environment_.emplace_back(*entry);
    if (!processes) throw std::runtime_error("no processes can be run");
    auto found = ask.find(on.library());
    if (!found) throw found.error();
    tool = *std::move(found);
    run(tool.run);
  }
  void run(const building::command& command) {
    if (!processes->start(command) || !processes->wait().succeeded()) throw std::runtime_error("it can't be built");
  }

 private:
  std::vector<std::string> environment_;
  const autoreload::trust_policy trust_;

 public:
  decltype(building::runner::make(0)) processes = building::runner::make(1 << 20);
  building::tool_finder ask{*processes, environment_, trust_};
  building::build_tool tool;
};

TEST_P(with_each_database, the_commands_make_the_same_bytes_as_the_tool) {
  const project on(GetParam());
  built_once by(on);
  const auto learned = learn_chain(by.ask, by.tool, on.path("lib.c"), on.library());
  ASSERT_TRUE(learned);
  on.write("lib.c", source_of(2));
  by.run(run_of(*learned, by.tool));
  const std::string by_commands = support::read_file(on.library());
  const auto made = std::filesystem::last_write_time(on.library());
  on.write("lib.c", source_of(2));
  by.run(by.tool.run);
  EXPECT_GT(std::filesystem::last_write_time(on.library()), made) << "the tool did nothing";
  EXPECT_TRUE(support::read_file(on.library()) == by_commands) << on.library() << " differs";
}

TEST_P(with_each_database, the_linker_alone_binds_to_the_same_versions_as_the_tool) {
  const project on(GetParam());
  on.write("lib.c", source_with_libc(1));
  built_once by(on);
  auto& processes = by.processes;
  building::tool_finder& ask = by.ask;
  const building::build_tool* const tool = &by.tool;
  const std::string bound = bound_to(on.library());
  EXPECT_TRUE(has(bound, "pthread_cond_signal@GLIBC_2.3.2") || !has(bound, "GLIBC_2.2.5")) << bound;
  const auto learned = learn_chain(ask, *tool, on.path("lib.c"), on.library());
  ASSERT_TRUE(learned);
  building::debug_file built = building::read_elf_file(on.library());
  const auto stubs = building::stubs_for(built);
  ASSERT_TRUE(stubs);
  const auto files = make_stubs(ask, *stubs, *learned, on.library());
  ASSERT_TRUE(files);
  const auto alone = with_linker_alone(ask, *tool, *learned, on.library(), *files);
  ASSERT_TRUE(alone);
  on.write("lib.c", source_with_libc(2));
  ASSERT_TRUE(processes->start(run_of(*alone, *tool)));
  const building::ending ended = processes->wait();
  ASSERT_TRUE(ended.succeeded()) << ended.output;
  EXPECT_EQ(ended.output, "");
  EXPECT_EQ(bound_to(on.library()), bound);
  // A function that the library did not need before is no stub's: the link fails, and leaves the library as it is.
  const std::string before = support::read_file(on.library());
  on.write("lib.c", "#include <stdlib.h>\nint value(void) { return rand(); }\n");
  ASSERT_TRUE(processes->start(run_of(*alone, *tool)));
  EXPECT_FALSE(processes->wait().succeeded());
  EXPECT_EQ(support::read_file(on.library()), before);
}

TEST_P(with_each_database, the_linker_alone_goes_first_and_the_tool_follows) {
  const project on(GetParam());
  session running(on, first(rebuild_chain::linker));
  warm_up(on, running);
  on.write("lib.c", source_of(100));
  ASSERT_TRUE(running.becomes(100));
  // The tool makes the same bytes of so small a library: then nothing is loaded once more.
  rebuild_event last;
  do {
    last = running.told.next(rebuild_kind::built, rebuild_kind::no_effect);
    ASSERT_FALSE(last.text.empty());
  } while (!has(last.text, "the linker's"));
  EXPECT_EQ(running.value(), 100);
  // What the stubs lack goes the usual way.
  on.write("lib.c",
           "#include \"value.h\"\n#include <stdlib.h>\nint value(void) { return abs(rand()) * 0 + 300 + EXTRA; }\n");
  EXPECT_TRUE(running.becomes(300));
}

TEST_P(with_each_database, tcc_stands_in_for_one_source_of_several) {
  if (!installed("tcc")) GTEST_SKIP() << "tcc is not installed (Debian package tcc)";
  const project on(GetParam());
  on.write("other.c", "int other(void) { return 7; }\n");
  const std::string file = GetParam() == tool::ninja   ? "build/build.ninja"
                           : GetParam() == tool::meson ? "meson.build"
                                                       : "CMakeLists.txt";
  const auto [from, to] = GetParam() == tool::ninja
                              ? std::pair("link lib.o", "link lib.o other.o\nbuild other.o: cc ../other.c")
                          : GetParam() == tool::meson ? std::pair("'lib.c'", "'lib.c', 'other.c'")
                                                      : std::pair(" lib.c", " lib.c other.c");
  std::string text = support::read_file(on.path(file));
  on.replace(file, text.replace(text.find(from), std::string(from).size(), to));
  session running(on, first(rebuild_chain::tcc));
  warm_up(on, running);
  const auto tool_has_followed = [&] {
    while (!has(running.told.next(rebuild_kind::built).text, "took the place of tcc's")) {
      if (testing::Test::HasFailure()) return false;
    }
    return true;
  };
  ASSERT_TRUE(tool_has_followed());
  for (int value = 100; value < 103; ++value) {
    on.write("lib.c", source_of(value));
    const rebuild_event built = running.told.next(rebuild_kind::built);
    EXPECT_TRUE(has(built.text, "by tcc: the optimised one follows")) << running.told.said();
    ASSERT_TRUE(running.becomes(value));
    ASSERT_TRUE(tool_has_followed());
  }
  EXPECT_FALSE(has(running.refused(), "executable stack")) << running.refused();
}

INSTANTIATE_TEST_SUITE_P(chain, with_each_database,
                         testing::Values(tool::ninja, tool::cmake_ninja, tool::cmake_make, tool::meson),
                         [](const auto& which) { return name_of(which.param); });

TEST(chain, splits_words_as_a_shell_does_or_not_at_all) {
  using words = std::vector<std::string>;
  EXPECT_EQ(shell_words("cc -c 'my file.c'  -DX=\"a b\" a\\ b"), (words{"cc", "-c", "my file.c", "-DX=a b", "a b"}));
  EXPECT_EQ(shell_words("cc ''"), (words{"cc", ""}));
  EXPECT_EQ(shell_words(""), words{});
  for (const char* const more : {"a | b", "a; b", "a && b", "a $x", "a `b`", "a > b", "a \"$x\"", "a 'open", "a *.c"}) {
    EXPECT_FALSE(shell_words(more)) << more;
  }
}

}  // namespace
