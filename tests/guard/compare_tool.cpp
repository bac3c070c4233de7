// SPDX-License-Identifier: MIT
// guard_compare: asks the guard about two builds of a library, as if the first ran and the second had just been built.
#include <fcntl.h>

#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include <autoreload/abi_guard.hpp>

int main(int count, char** arguments) {
  if (count < 4) {
    std::fputs(
        "usage: guard_compare BEFORE AFTER [var:]SYMBOL…\n"
        "exit status: 0 passes, 1 refused, 2 could not be asked\n",
        stderr);
    return 2;
  }
  const int before = open(arguments[1], O_RDONLY | O_CLOEXEC);
  const int after = open(arguments[2], O_RDONLY | O_CLOEXEC);
  if (before < 0 || after < 0) {
    std::perror(before < 0 ? arguments[1] : arguments[2]);
    return 2;
  }
  std::vector<autoreload::symbol_info> symbols;
  for (int i = 3; i < count; ++i) {
    const bool variable = std::strncmp(arguments[i], "var:", 4) == 0;
    symbols.push_back({arguments[i] + (variable ? 4 : 0), true, !variable, 0, nullptr});
  }
  const auto verdict = autoreload::make_abi_guard()->check({arguments[2], after, before, symbols, ""});
  for (const std::string& text : verdict.differences) std::printf("%s\n", text.c_str());
  for (const std::string& text : verdict.notes) {
    if (text.find("the host has no debug information") == std::string::npos) std::printf("%s\n", text.c_str());
  }
  return verdict.refuse ? 1 : 0;
}
