// SPDX-License-Identifier: MIT
// frame_text: words of the screen.
#include "frame_text.hpp"

namespace autoreload::command {

using namespace std::chrono_literals;

std::string age_text(std::chrono::steady_clock::duration age) {
  if (age < 1s) return "just now";
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(age).count();
  if (seconds < 120) return std::to_string(seconds) + " s ago";
  if (seconds < 7200) return std::to_string(seconds / 60) + " min ago";
  return std::to_string(seconds / 3600) + " h ago";
}

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> list;
  for (std::size_t begin = 0;;) {
    const std::size_t end = text.find('\n', begin);
    list.push_back(text.substr(begin, end - begin));
    if (end == std::string::npos) return list;
    begin = end + 1;
  }
}

std::string after_kind(const std::string& text) {
  const std::string first = split(text).front();
  const std::size_t colon = first.find(": ");
  return colon == std::string::npos ? first : first.substr(colon + 2);
}

}  // namespace autoreload::command
