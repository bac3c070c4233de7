// SPDX-License-Identifier: MIT
// arguments: finds options and takes them out.
#include "arguments.hpp"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>

namespace bench {

std::string arguments::text(std::string_view name, std::string otherwise) {
  const std::string prefix = "--" + std::string(name) + "=";
  const auto found = std::find_if(words_.begin(), words_.end(), [&](auto& word) { return word.starts_with(prefix); });
  if (found == words_.end()) return otherwise;
  std::string value = found->substr(prefix.size());
  words_.erase(found);
  return value;
}

std::int64_t arguments::number(std::string_view name, std::int64_t otherwise) {
  const std::string given = text(name, std::to_string(otherwise));
  std::int64_t value = 0;
  const auto [end, failure] = std::from_chars(given.data(), given.data() + given.size(), value);
  if (failure == std::errc() && end == given.data() + given.size() && value > 0) return value;
  std::fprintf(stderr, "--%s needs a positive number, not \"%s\"\n", std::string(name).c_str(), given.c_str());
  std::exit(EXIT_FAILURE);
}

void arguments::expect_no_more() const {
  if (words_.empty()) return;
  std::fprintf(stderr, "unknown option \"%s\"\n", words_.front().c_str());
  std::exit(EXIT_FAILURE);
}

}  // namespace bench
