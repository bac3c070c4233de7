// SPDX-License-Identifier: MIT
// edits: every edit of the list, compiled by each compiler at each optimisation, and run: values are set in the old
// version, carried, and read by functions of the new one. One handover does all edits of a build at once.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "edit_run.hpp"

namespace {

using namespace autoreload_test;

struct edit_case {
  std::size_t number;
  std::string build;
  bool back;
};

class edited : public testing::TestWithParam<edit_case> {};

TEST_P(edited, has_the_values_that_it_should_have) {
  const auto& [number, build, back] = GetParam();
  if (!std::filesystem::exists(library(build, true))) GTEST_SKIP() << "built without " << build;
  const edit& e = edits()[number];
  const handover& h = carried(build, back);
  ASSERT_TRUE(*h.outcome) << h.outcome->error().what();
  const autoreload::state_report& report = **h.outcome;

  std::vector<std::string> wanted = back ? e.back_says : e.says;
  std::string all;
  for (const std::string& remark : said_of(e, report)) {
    all += "\n  " + remark;
    const auto one = std::find_if(wanted.begin(), wanted.end(), [&](const auto& w) { return is_said(w, remark); });
    EXPECT_NE(one, wanted.end()) << "nobody expected: " << remark;
    if (one != wanted.end()) wanted.erase(one);
  }
  for (const std::string& missing : wanted) ADD_FAILURE() << "not said: " << missing << "\nsaid:" << all;
  EXPECT_EQ(h.to->get<int()>("check_" + std::to_string(number))(), 1) << e.name << "\nsaid:" << all;
}

std::vector<edit_case> all_cases() {
  std::vector<edit_case> cases;
  for (const char* const build : builds) {
    for (std::size_t i = 0; i < edits().size(); ++i) {
      cases.push_back({i, build, false});
      if (edits()[i].back) cases.push_back({i, build, true});
    }
  }
  return cases;
}

std::string case_name(const testing::TestParamInfo<edit_case>& info) {
  std::string name = info.param.build + "_";
  for (const char* c = edits()[info.param.number].name; *c != '\0'; ++c) {
    if (std::isalnum(static_cast<unsigned char>(*c)) != 0) name += *c;
    if (*c == ' ' || *c == '-') name += '_';
  }
  return name + (info.param.back ? "__backwards" : "");
}

INSTANTIATE_TEST_SUITE_P(edits, edited, testing::ValuesIn(all_cases()), case_name);

TEST(edit_list, is_long_enough_and_goes_back_often_enough) {
  EXPECT_GE(edits().size(), 120U);
  EXPECT_GE(std::count_if(edits().begin(), edits().end(), [](const edit& e) { return e.back; }), 20);
}

}  // namespace
