// SPDX-License-Identifier: MIT
// installed_test: the command as it is installed, in whatever place that is.
#include "program.hpp"

namespace {

TEST(Installed, TakesTheHelperThatWasInstalledWithIt) {
  const support::temp_directory place;
  const std::string prefix = place / "a prefix";
  const std::string helper = prefix + "/" AUTORELOAD_INSTALLED_HELPER;
  const std::string program = prefix + "/" AUTORELOAD_INSTALLED_PROGRAM;
  for (const std::string& file : {helper, program}) {
    std::filesystem::create_directories(std::filesystem::path(file).parent_path());
  }
  std::filesystem::copy_file(std::getenv("AUTORELOAD_COMMAND"), program);
  // Says that it was started, and goes on as the real one, which has the same descriptors.
  support::write_file(helper,
                      "#!/bin/sh\n: > '" + (place / "started") + "'\nexec '" AUTORELOAD_BUILT_HELPER "' \"$@\"\n");
  std::filesystem::permissions(helper, std::filesystem::perms::owner_all);
  support::build_library(place / "lib.so", "int foo(int n) { return n + 1; }");
  EXPECT_EQ(support::shell("'" + program + "' call '" + (place / "lib.so") + "' 'foo(1)'"), "2\n");
  EXPECT_TRUE(std::filesystem::exists(place / "started"));
}

}  // namespace
