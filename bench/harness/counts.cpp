// SPDX-License-Identifier: MIT
// counts: writes JSON.
#include "counts.hpp"

#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <exception>

namespace bench {

bool write_counts(const std::string& path, const std::string& context, const std::vector<counted>& all) {
  FILE* const file = std::fopen(path.c_str(), "we");
  if (file == nullptr) return false;
  std::fprintf(file, "{\n  \"context\": {%s, \"unit\": \"ns\"},\n  \"series\": [", context.c_str());
  const char* separator = "";
  for (const counted& one : all) {
    std::fprintf(file,
                 "%s\n    {\"name\": \"%s\", \"label\": \"%s\", \"calls\": %" PRIu64 ", \"reloads\": %" PRIu64 ",%s",
                 separator, one.name.c_str(), one.label.c_str(), one.times->total(), one.reloads, one.more.c_str());
    one.times->write(file);
    std::fprintf(file, "}");
    separator = ",";
  }
  std::fprintf(file, "\n  ]\n}\n");
  return std::fclose(file) == 0;
}

int run_program(const char* name, int count, char** words, int (*run)(arguments)) {
  try {
    return run({count, words});
  } catch (const std::exception& failure) {
    std::fprintf(stderr, "%s: %s\n", name, failure.what());
    return EXIT_FAILURE;
  }
}

}  // namespace bench
