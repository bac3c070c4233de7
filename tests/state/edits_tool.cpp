// SPDX-License-Identifier: MIT
// state_edits_tool: says for the page of edits what became of each: `NUMBER BUILD DIRECTION yes|no REMARK…`, by tabs.
#include <cstdio>
#include <filesystem>

#include "edit_run.hpp"

int main() {
  using namespace autoreload_test;
  for (const char* const build : builds) {
    if (!std::filesystem::exists(library(build, true))) continue;
    for (const bool back : {false, true}) {
      const handover& h = carried(build, back);
      if (!*h.outcome) {
        std::fprintf(stderr, "%s\n", h.outcome->error().what());
        return 1;
      }
      for (std::size_t i = 0; i < edits().size(); ++i) {
        if (back && !edits()[i].back) continue;
        const bool good = h.to->get<int()>("check_" + std::to_string(i))() == 1;
        std::printf("%zu\t%s\t%s\t%s", i, build, back ? "back" : "forth", good ? "yes" : "no");
        for (const std::string& remark : said_of(edits()[i], **h.outcome)) std::printf("\t%s", remark.c_str());
        std::printf("\n");
      }
    }
  }
}
