// SPDX-License-Identifier: MIT
// line_pattern: a small matcher that tries each length of a part, the shortest first, within a budget of steps.
#include "rebuild/line_pattern.hpp"

#include <array>
#include <limits>

namespace autoreload::building {
namespace {

struct severity_word {
  std::string_view word;
  severity meaning;
};
constexpr std::array severity_words{
    severity_word{"error", severity::error},
    severity_word{"warning", severity::warning},
    severity_word{"note", severity::note},
    severity_word{"fatal error", severity::error},
    severity_word{"fatal", severity::error},
    severity_word{"internal compiler error", severity::error},
    severity_word{"sorry, unimplemented", severity::error},
    severity_word{"internal error", severity::error},
    severity_word{"remark", severity::note},
    severity_word{"Error", severity::error},  // the assembler's
    severity_word{"Fatal error", severity::error},
    severity_word{"Warning", severity::warning},
    severity_word{"Info", severity::note},
    severity_word{"ERROR", severity::error},  // Meson's
    severity_word{"WARNING", severity::warning},
};

bool is_digit(char c) { return c >= '0' && c <= '9'; }

class matcher {
 public:
  std::optional<line_match> run(std::string_view pattern, std::string_view line) {
    return match(pattern, line) ? std::optional(found_) : std::nullopt;
  }

 private:
  bool match(std::string_view pattern, std::string_view line) {
    while (!pattern.empty() && pattern.front() != '{') {
      if (line.empty() || line.front() != pattern.front()) return false;
      pattern.remove_prefix(1);
      line.remove_prefix(1);
    }
    if (pattern.empty()) return line.empty();
    const std::size_t end = pattern.find('}');
    const std::string_view part = pattern.substr(1, end - 1);
    const std::string_view rest = pattern.substr(end + 1);
    if (part == "text") {
      found_.text = line;
      return !line.empty();
    }
    if (part == "line") return number(found_.line, rest, line);
    if (part == "column") return number(found_.column, rest, line);
    if (part == "severity") return word(rest, line);
    return shortest(part, rest, line);
  }

  bool number(std::uint32_t& into, std::string_view rest, std::string_view line) {
    std::size_t size = 0;
    std::uint64_t value = 0;
    while (size < line.size() && size < 10 && is_digit(line[size])) {
      value = value * 10 + static_cast<std::uint64_t>(line[size++] - '0');
    }
    if (size == 0 || value > std::numeric_limits<std::uint32_t>::max()) return false;
    into = static_cast<std::uint32_t>(value);
    return match(rest, line.substr(size));
  }

  bool word(std::string_view rest, std::string_view line) {
    for (const severity_word& one : severity_words) {
      if (!line.starts_with(one.word)) continue;
      if (!match(rest, line.substr(one.word.size()))) continue;
      found_.severity = one.meaning;
      return true;
    }
    return false;
  }

  bool shortest(std::string_view part, std::string_view rest, std::string_view line) {
    const bool file = part == "file";
    const bool tool = part == "tool";
    if (line.empty() || (file && line.front() == ' ')) return false;
    for (std::size_t size = 1; size <= line.size(); ++size) {
      const char last = line[size - 1];
      if (tool && (last == ' ' || last == ':')) return false;
      if (file && last == ' ' && size > 1 && line[size - 2] == ':') return false;
      if (--budget_ < 0) return false;
      if (!rest.empty() && rest.front() != '{' && (size == line.size() || line[size] != rest.front())) continue;
      if (!match(rest, line.substr(size))) continue;
      if (file && found_.file.empty()) found_.file = line.substr(0, size);
      if (tool) found_.tool = line.substr(0, size);
      return true;
    }
    return false;
  }

  line_match found_;
  int budget_ = 20'000;
};

}  // namespace

std::optional<line_match> match_line(std::string_view pattern, std::string_view line) {
  return matcher().run(pattern, line);
}

}  // namespace autoreload::building
