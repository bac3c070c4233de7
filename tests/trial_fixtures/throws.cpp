// SPDX-License-Identifier: MIT
// throws: a C++ library; its global object's constructor throws when THROWS says so.
#include <iostream>
#include <stdexcept>
#include <string>

namespace {
struct settings {
  settings() {
#if THROWS
    throw std::runtime_error("no settings file");
#endif
  }
  std::string name = "plain";
};
const settings global;
}  // namespace

extern "C" std::size_t answer() {
  std::cout.flush();
  return global.name.size();
}
