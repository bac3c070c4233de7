// SPDX-License-Identifier: MIT
// second: another source file with inline functions from headers, so that a line table has several files and
// directories.
#include <algorithm>
#include <string>
#include <vector>

namespace {
struct counter {
  std::vector<std::string> words;
  int longest() const {
    int best = 0;
    for (const auto& word : words) best = std::max(best, static_cast<int>(word.size()));
    return best;
  }
};
}  // namespace

extern "C" int longest_word(int count) {
  counter all;
  for (int i = 0; i < count; ++i) all.words.push_back(std::string(static_cast<std::size_t>(i), 'x'));
  std::sort(all.words.begin(), all.words.end());
  return all.longest();
}
