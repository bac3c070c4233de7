// SPDX-License-Identifier: MIT
// files: as the program's own calls would find them.
#include "exec/files.hpp"

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>

namespace autoreload::exec {

std::string base_of(const std::string& path) { return path.substr(path.rfind('/') + 1); }

std::string real_path(const std::string& path) {
  const std::unique_ptr<char, decltype(&std::free)> real(realpath(path.c_str(), nullptr), &std::free);
  return real != nullptr ? real.get() : path;
}

std::optional<std::string> read_file(const std::string& path) {
  std::ifstream from(path, std::ios::binary);
  if (!from) return std::nullopt;
  return std::string(std::istreambuf_iterator<char>(from), {});
}

}  // namespace autoreload::exec
