// SPDX-License-Identifier: MIT
// text_file: read whole, for files that are small.
#include "rebuild/text_file.hpp"

#include <fstream>
#include <iterator>
#include <sstream>
#include <utility>

namespace autoreload::building {

std::string read_text(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    if (!line.empty()) lines.push_back(std::move(line));
  }
  return lines;
}

}  // namespace autoreload::building
