// SPDX-License-Identifier: MIT
// static_initialisation_test: a `reloadable` may be a global of the host, constructed before anything of ours could be.
#include <gtest/gtest.h>

#include <autoreload/autoreload.hpp>
#include <cstdlib>
#include <string>

#include "fixtures.hpp"
#include "support.hpp"

namespace {

struct foo_api {
  autoreload::required_as<"foo", int()> foo;
};

autoreload::options everything() {
  autoreload::options chosen;
  chosen.trust.honour_noexec = false;
  chosen.trial.enabled = true;
  return chosen;
}

// 101 is the first priority that a program may use: no other constructor of this program has run by then.
[[gnu::init_priority(101)]] autoreload::reloadable<foo_api> before_all(fixtures::plain);
[[gnu::init_priority(102)]] autoreload::reloadable<foo_api> with_all(fixtures::plain, everything());
autoreload::reloadable<foo_api> among_others(fixtures::plain);

TEST(StaticInitialisation, AGlobalReloadableIsLoadedAndCallable) {
  for (const auto* one : {&before_all, &with_all, &among_others}) {
    ASSERT_TRUE(one->loaded());
    EXPECT_EQ((*one)->foo(), 4);
  }
}

// Whatever the order of the host's constructors, there is none of ours that could come too late.
TEST(StaticInitialisation, TheLibraryHasNoDynamicInitialisation) {
  const char* const library = std::getenv("AUTORELOAD_ARCHIVE");
  if (library == nullptr) GTEST_SKIP() << "a shared library has the compiler's own, or a sanitizer adds some";
  if (std::system("readelf --version > /dev/null 2>&1") != 0) GTEST_SKIP() << "there is no readelf";
  const std::string sections = support::shell(std::string("readelf -SW '") + library + "'");
  ASSERT_NE(sections.find(".text"), std::string::npos) << "nothing was read";
  std::string file;
  std::istringstream lines(sections);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("File: ")) file = line;
    EXPECT_EQ(line.find(" .init_array"), std::string::npos) << file << '\n' << line;
    EXPECT_EQ(line.find(" .ctors"), std::string::npos) << file << '\n' << line;
  }
}

}  // namespace
