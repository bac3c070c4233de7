// SPDX-License-Identifier: MIT
// real_libraries_test: calls of libraries that everybody has, against the same calls compiled.
#include <map>
#include <sstream>

#include "agreement.hpp"

namespace {

struct section {
  std::string library;
  std::vector<std::string> headers;
  std::string link;
  std::vector<support::listed_call> calls;
};

std::map<std::string, section> sections() {
  std::map<std::string, section> all;
  std::istringstream file(support::read_file(AUTORELOAD_CALLS));
  section* now = nullptr;
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string first;
    words >> first;
    if (first.empty() || first[0] == '#') continue;
    std::string rest = line.substr(std::min(line.size(), first.size() + 1));
    if (first == "section") {
      now = &all[rest];
    } else if (first == "library") {
      now->library = rest;
    } else if (first == "link") {
      now->link = rest;
    } else if (first == "headers") {
      for (std::string header; words >> header;) now->headers.push_back(header);
    } else {
      now->calls.push_back({first == "void" ? rest : line, first != "void"});
    }
  }
  return all;
}

class RealLibrary : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Each, RealLibrary, testing::Values("zlib", "lua", "sqlite", "libpng", "libm", "libc"),
                         [](const auto& chosen) { return std::string(chosen.param); });

TEST_P(RealLibrary, IsCalledAsTheCompilerCallsIt) {
  const section chosen = sections().at(GetParam());
  std::string head = "#define _GNU_SOURCE 1\n";
  std::vector<std::string> command{"call", chosen.library};
  for (const std::string& header : chosen.headers) {
    if (support::shell("printf '#include <" + header +
                       ">\\n' | cc -E -x c - >/dev/null 2>/dev/null && echo there || true")
            .empty()) {
      GTEST_SKIP() << "the header " << header << " is not installed";
    }
    head += "#include <" + header + ">\n";
    command.insert(command.end(), {"--header", header});
  }
  const support::temp_directory directory;
  support::write_file(directory / "calls.c", support::program_of(chosen.calls, head));
  support::shell("cc -std=gnu11 -w -O0 -fno-builtin -o '" + (directory / "calls") + "' '" + (directory / "calls.c") +
                 "' " + chosen.link + " -lm");
  support::expect_agreement(command, chosen.calls, support::shell("'" + (directory / "calls") + "'"));
}

TEST(RealLibraries, AreCalledByMoreThanEightyFunctions) {
  std::size_t count = 0;
  for (const auto& [name, chosen] : sections()) count += chosen.calls.size();
  EXPECT_GT(count, 160U);
}

}  // namespace
