// SPDX-License-Identifier: MIT
// bare_command: splits and joins what a shell would read.
#include "rebuild/bare_command.hpp"

#include <algorithm>
#include <cctype>
#include <utility>

namespace autoreload::building {

std::optional<std::vector<std::string>> shell_words(std::string_view line) {
  std::vector<std::string> words;
  std::string word;
  bool open = false;  // a word has begun
  for (std::size_t at = 0; at < line.size(); ++at) {
    const char c = line[at];
    if (c == ' ' || c == '\t') {
      if (std::exchange(open, false)) words.push_back(std::exchange(word, {}));
    } else if (c == '\'' || c == '"') {
      open = true;
      const std::size_t end = line.find(c, at + 1);
      if (end == std::string_view::npos) return std::nullopt;
      const std::string_view inside = line.substr(at + 1, end - at - 1);
      if (c == '"' && inside.find_first_of("\\$`") != std::string_view::npos) return std::nullopt;
      word += inside;
      at = end;
    } else if (c == '\\' && at + 1 < line.size()) {
      open = true;
      word += line[++at];
    } else if (std::string_view("|&;<>()$`*?[]#~\n").find(c) != std::string_view::npos) {
      return std::nullopt;
    } else {
      open = true;
      word += c;
    }
  }
  if (open) words.push_back(word);
  return words;
}

std::string quoted(const std::string& word) {
  const auto plain = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
           std::string_view("-_./,=+:@%").find(c) != std::string_view::npos;
  };
  if (!word.empty() && std::all_of(word.begin(), word.end(), plain)) return word;
  std::string text = "'";
  for (const char c : word) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return text + "'";
}

std::string line_of(const std::vector<std::string>& words) {
  std::string line;
  for (const std::string& word : words) line += (line.empty() ? "" : " ") + quoted(word);
  return line;
}

std::string bare_command::value_after(std::string_view option) const {
  const auto found = std::find(words.begin(), words.end(), option);
  return found == words.end() || found + 1 == words.end() ? "" : *(found + 1);
}

std::string bare_command::line() const { return enter + line_of(words); }

std::optional<bare_command> bare(std::string line) {
  bare_command found;
  if (line.starts_with(": && ")) line.erase(0, 5);
  while (line.ends_with(' ')) line.pop_back();
  if (line.ends_with("&& :")) line.resize(line.size() - 4);
  if (line.starts_with("cd ")) {
    const std::size_t end = line.find(" && ");
    if (end == std::string::npos) return std::nullopt;
    found.enter = line.substr(0, end + 4);
    line.erase(0, end + 4);
  }
  std::optional<std::vector<std::string>> words = shell_words(line);
  if (!words || words->empty()) return std::nullopt;
  if (words->front().ends_with("ccache")) words->erase(words->begin());
  found.words = *std::move(words);
  return found.words.empty() ? std::nullopt : std::optional(std::move(found));
}

}  // namespace autoreload::building
