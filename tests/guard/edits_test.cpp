// SPDX-License-Identifier: MIT
// edits: every edit of the list, compiled by each compiler at each optimisation, against the version that runs and
// against a host; and every header that was not edited, which must raise no word.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <string>

#include "edit_list.hpp"
#include "support.hpp"

namespace {

using namespace autoreload_test;

constexpr std::array builds{"gcc_O0", "gcc_O2", "clang_O0", "clang_O2"};

std::string library(const std::string& build, const char* version) {
  return std::string(AUTORELOAD_EDITS) + "/" + version + "_" + build + ".so";
}

struct edit_case {
  const edit* what;
  std::string build;
};

class edited : public testing::TestWithParam<edit_case> {
 protected:
  void SetUp() override {
    before_ = open_file(library(GetParam().build, "before"));
    after_ = open_file(library(GetParam().build, "after"));
    if (!before_ || !after_) GTEST_SKIP() << "built without " << GetParam().build;
  }

  // One guard for all: it reads its host, this program, once for each API struct.
  static guard_verdict ask(const unique_fd& candidate, int running, const std::vector<symbol_info>& symbols) {
    static const auto guard = autoreload::make_abi_guard(patient());
    return guard->check({GetParam().build, candidate.get(), running, symbols, "api"});
  }

  unique_fd before_;
  unique_fd after_;
};

TEST_P(edited, gets_its_verdict_beside_the_running_version) {
  const edit& e = *GetParam().what;
  std::vector<symbol_info> symbols;
  for (const auto& s : e.symbols) symbols.push_back({s.name, true, !s.variable, 0, nullptr});
  const guard_verdict verdict = ask(after_, before_.get(), symbols);
  EXPECT_EQ(verdict.refuse, e.breaks) << e.name << ": " << text_of(verdict);
  EXPECT_EQ(verdict.differences.empty(), !e.breaks) << text_of(verdict);
  if (*e.says == '\0') {
    EXPECT_TRUE(verdict.notes.empty()) << text_of(verdict);
  } else {
    EXPECT_TRUE(says(e.breaks ? verdict.differences : verdict.notes, e.says)) << e.says << "\n" << text_of(verdict);
  }
}

TEST_P(edited, gets_its_verdict_at_the_first_load_from_what_the_host_was_compiled_for) {
  const edit& e = *GetParam().what;
  if (e.c_only) GTEST_SKIP() << "no C++ host can include this header";
  const guard_verdict verdict = ask(after_, -1, e.host);
  EXPECT_EQ(verdict.refuse, e.breaks && !e.host_passes) << e.name << ": " << text_of(verdict);
}

TEST_P(edited, raises_no_word_before_the_edit) {
  const edit& e = *GetParam().what;
  if (e.c_only) GTEST_SKIP() << "no C++ host can include this header";
  const guard_verdict verdict = ask(before_, before_.get(), e.host);
  EXPECT_FALSE(verdict.refuse) << text_of(verdict);
  EXPECT_TRUE(verdict.differences.empty() && verdict.notes.empty()) << text_of(verdict);
}

std::vector<edit_case> all_cases() {
  std::vector<edit_case> cases;
  for (const char* const build : builds) {
    for (const edit& e : edits()) cases.push_back({&e, build});
  }
  return cases;
}

std::string case_name(const testing::TestParamInfo<edit_case>& info) {
  std::string name = info.param.build + "_";
  for (const char* c = info.param.what->name; *c != '\0'; ++c) {
    if (std::isalnum(static_cast<unsigned char>(*c)) != 0) name += *c;
    if (*c == ' ' || *c == '-') name += '_';
  }
  return name;
}

INSTANTIATE_TEST_SUITE_P(edits, edited, testing::ValuesIn(all_cases()), case_name);

TEST(edit_list, is_long_enough_and_has_both_kinds) {
  const auto& all = edits();
  EXPECT_GE(all.size(), 60U);
  EXPECT_GE(std::ranges::count_if(all, &edit::breaks), 30);
  EXPECT_GE(std::ranges::count_if(all, [](const edit& e) { return !e.breaks; }), 25);
}

}  // namespace
