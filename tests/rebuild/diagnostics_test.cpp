// SPDX-License-Identifier: MIT
// diagnostics_test: real outputs of real tools, and what is understood of them.
#include <autoreload/diagnostic.hpp>

#include <algorithm>
#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

#include "rebuild/line_pattern.hpp"
#include "rebuild/output.hpp"
#include "tests/support.hpp"

namespace {

using autoreload::diagnostic;
using autoreload::read_diagnostics;
using autoreload::severity;

const std::filesystem::path corpus = AUTORELOAD_DIAGNOSTICS;

// One line for each diagnostic: its rule, and what it says.
std::string spelled(const std::string& name, const std::vector<diagnostic>& all) {
  std::string text = "== " + name + "\n";
  for (const diagnostic& one : all) {
    text += "[" + one.rule + "] " + autoreload::to_string(one) + (one.follows ? " (follows)" : "") + "\n";
  }
  if (const diagnostic* const first = autoreload::first_error(all))
    text += "-> " + autoreload::to_string(*first) + "\n";
  return text;
}

// The file of expectations lists every output of the corpus. With AUTORELOAD_WRITE_EXPECTED it is written anew, to be
// read by a person before it is kept.
TEST(diagnostics, understands_every_output_of_the_corpus) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(corpus / "outputs")) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  EXPECT_GE(files.size(), 60U);
  std::string all;
  for (const auto& file : files) all += spelled(file.stem(), read_diagnostics(support::read_file(file)));
  const std::string expected = corpus / "expected.txt";
  if (std::getenv("AUTORELOAD_WRITE_EXPECTED") != nullptr) support::write_file(expected, all);
  std::istringstream now(all);
  std::istringstream wanted(support::read_file(expected));
  std::string name;
  for (std::string a, b; std::getline(now, a) || std::getline(wanted, b);) {
    if (b.empty()) std::getline(wanted, b);
    if (a.starts_with("== ")) name = a;
    ASSERT_EQ(a, b) << "in " << name;
    a.clear();
    b.clear();
  }
}

TEST(diagnostics, spells_an_error_as_compilers_do) {
  const auto all = read_diagnostics("lib.c:12:5: error: expected ';' before '}' token\n");
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].file, "lib.c");
  EXPECT_EQ(all[0].line, 12U);
  EXPECT_EQ(all[0].column, 5U);
  EXPECT_EQ(all[0].severity, severity::error);
  EXPECT_EQ(autoreload::to_string(all[0]), "lib.c:12:5: error: expected ';' before '}' token");
}

TEST(diagnostics, takes_the_option_off_the_message) {
  const auto all = read_diagnostics("my lib.c:2:7: warning: unused variable 'a' [-Wunused-variable]\r\n");
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].file, "my lib.c");
  EXPECT_EQ(all[0].message, "unused variable 'a'");
  EXPECT_EQ(all[0].option, "-Wunused-variable");
}

TEST(diagnostics, puts_an_error_in_a_source_before_what_follows_from_it) {
  const auto all =
      read_diagnostics("collect2: error: ld returned 1 exit status\nmake: *** [a] Error 1\nb.c:3:1: error: x\n");
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(autoreload::first_error(all)->file, "b.c");
  const auto only = read_diagnostics("make: *** [a] Error 1\n");
  EXPECT_TRUE(autoreload::first_error(only)->follows);
  EXPECT_EQ(autoreload::first_error({}), nullptr);
}

TEST(diagnostics, is_not_misled_by_what_a_source_line_quotes) {
  EXPECT_TRUE(read_diagnostics("    2 |   puts(\"lib.c:1:1: error: no\");\n").empty());
  EXPECT_TRUE(read_diagnostics("cc -c lib.c -DTEXT=\"a: b\"\n[1/2] cc lib.c\n").empty());
}

TEST(diagnostics, gives_up_in_time_on_a_line_made_to_be_slow) {
  std::string line;
  for (int i = 0; i < 100'000; ++i) line += "a:1:";
  for (int i = 0; i < 200; ++i) line += "\n" + line.substr(0, 4000);
  EXPECT_TRUE(read_diagnostics(line).empty());
  std::string many;
  for (int i = 0; i < 5000; ++i) many += "a.c:1:1: error: x\n";
  EXPECT_EQ(read_diagnostics(many).size(), 1000U);
}

TEST(output, loses_colours_links_and_lines_that_were_written_over) {
  using autoreload::building::without_escapes;
  EXPECT_EQ(without_escapes("\x1b[01m\x1b[Klib.c:\x1b[m\x1b[K x"), "lib.c: x");
  EXPECT_EQ(without_escapes("\x1b]8;;https://gcc.gnu.org\x1b\\-Wall\x1b]8;;\x1b\\]"), "-Wall]");
  EXPECT_EQ(without_escapes("\x1b]8;;https://gcc.gnu.org\a-Wall\x1b]8;;\a]"), "-Wall]");
  EXPECT_EQ(without_escapes("[1/2] one\r\x1b[K[2/2] two\r\nend\r\n"), "[2/2] two\nend\n");
  EXPECT_EQ(without_escapes("\x1b"), "");
  EXPECT_EQ(without_escapes("\x1b["), "");
  EXPECT_EQ(without_escapes("\x1b]8;;"), "8;;");
}

}  // namespace
