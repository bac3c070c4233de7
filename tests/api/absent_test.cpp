// SPDX-License-Identifier: MIT
// absent: the use of an optional symbol that isn't there says which library lacks it, and why.
#include <gtest/gtest.h>

#include <autoreload/autoreload.hpp>
#include <filesystem>
#include <string>

#include "fixtures.hpp"
#include "foo.h"

namespace {

struct foo_api {
  autoreload::required<::foo> foo;
  autoreload::optional<::bar> bar;
};
using library = autoreload::reloadable<foo_api>;

autoreload::options by_hand() {
  autoreload::options chosen;
  chosen.drive = autoreload::drive_mode::manual;
  return chosen;
}

template <class Use>
autoreload::error failure_of(Use use) {
  try {
    use();
  } catch (const autoreload::error& failure) {
    return failure;
  }
  return {autoreload::stage::use, {}, "nothing was thrown"};
}

TEST(absent, a_function_that_this_version_lacks_names_the_library) {
  const library lacking(fixtures::plain, by_hand());
  const library having(fixtures::with_bar, by_hand());
  ASSERT_TRUE(lacking.loaded() && having.loaded());
  const autoreload::error failure = failure_of([&] { lacking->bar(); });
  EXPECT_EQ(failure.path(), fixtures::plain);
  EXPECT_EQ(failure.reason(), "bar was used, but this version of the library lacks it");
  EXPECT_NE(failure.advice().find("try_call"), std::string::npos);

  const auto pin = lacking.pin();
  EXPECT_EQ(failure_of([&] { pin->bar(); }).path(), fixtures::plain) << "also beside another pin of this thread";
  EXPECT_EQ(having->bar(), 10);
}

TEST(absent, a_function_of_a_library_that_is_not_there_yet_says_so) {
  const library lacking(fixtures::plain, by_hand());
  const std::string path = (std::filesystem::path(fixtures::plain).parent_path() / "not_built.so").string();
  const library none(path, by_hand());
  const autoreload::error failure = failure_of([&] { none->bar(); });
  EXPECT_EQ(failure.reason(), "bar was called, but no generation of its library is loaded yet") << failure.what();
  EXPECT_EQ(failure.path(), "") << "not the other one";
}

TEST(absent, a_function_of_a_module_that_no_engine_runs_is_said_to_be_lacking) {
  const auto loaded = autoreload::symbols::module<foo_api>::load(fixtures::plain);
  ASSERT_TRUE(loaded) << loaded.error().what();
  EXPECT_EQ(failure_of([&] { (*loaded)->bar(); }).reason(), "bar was used, but its library lacks it");
}

TEST(absent, a_library_that_is_gone_is_not_named) {
  { const library gone(fixtures::plain, by_hand()); }
  const auto loaded = autoreload::symbols::module<foo_api>::load(fixtures::plain);
  ASSERT_TRUE(loaded) << loaded.error().what();
  EXPECT_EQ(failure_of([&] { (*loaded)->bar(); }).path(), "");
}

}  // namespace
