// SPDX-License-Identifier: MIT
// words: a program's arguments and environment, as execve takes them.
#pragma once

#include <string>
#include <vector>

namespace autoreload::exec {

/// Pointers to the texts, and a null pointer behind them: valid as long as the texts are as they are.
[[nodiscard]] inline std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> made;
  made.reserve(texts.size() + 1);
  for (std::string& text : texts) made.push_back(text.data());
  made.push_back(nullptr);
  return made;
}

}  // namespace autoreload::exec
