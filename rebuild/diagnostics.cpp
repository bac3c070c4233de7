// SPDX-License-Identifier: MIT
// diagnostics: reads the complaints of compilers, linkers and build tools by a table of rules.
#include <autoreload/diagnostic.hpp>

#include <algorithm>
#include <optional>

#include "rebuild/line_pattern.hpp"
#include "rebuild/output.hpp"

namespace autoreload {
namespace {

using building::line_match;
using building::match_line;

constexpr std::size_t most = 1000;          // diagnostics
constexpr std::size_t longest_line = 4000;  // bytes that are looked at

// What a rule says of a line that it matches.
enum class meaning : std::uint8_t {
  as_told,  // its {severity}
  error,
  warning,
  note,
  consequence,  // an error that only says that something else failed
  whole,        // the same, and the whole line is its text
  nothing,      // no complaint, although a later rule would take it for one
  place,        // where the one before it is
  heading,      // the message is in the next lines, which begin with two spaces
};

struct rule {
  std::string_view name;
  std::string_view pattern;
  autoreload::meaning meaning = meaning::as_told;
  std::string_view before{};  // goes in front of the text
};

// The first that matches counts. Names are those of docs/rebuild.md; several rules may share one.
constexpr rule rules[]{
    {"included from", "In file included from {text}", meaning::nothing},
    {"compiler, column", "{file}:{line}:{column}: {severity}: {text}"},
    {"CMake, place", "CMake Error at {file}:{line} ({any}):", meaning::heading},
    {"CMake, place", "CMake Error at {file}:{line}:", meaning::heading},
    {"CMake, place", "CMake Warning at {file}:{line} ({any}):", meaning::heading},
    {"CMake, place", "CMake Deprecation Warning at {file}:{line} ({any}):", meaning::heading},
    {"CMake", "CMake Error: {text}", meaning::error},
    {"CMake", "CMake Warning: {text}", meaning::warning},
    {"CMake, consequence", "CMake {any} step failed.{text}", meaning::whole},
    {"make, file", "{file}:{line}: *** {text}", meaning::error},
    {"make, consequence", "{tool}: *** [{any}] {text}", meaning::whole},
    {"make, deletes", "{tool}: *** Deleting {text}", meaning::note, "deleting "},
    {"make", "{tool}: *** {text}", meaning::error},
    {"linker script", "{tool}: {severity}: {file}:{line}:{column}: {text}"},
    {"tool, file", "{tool}: {severity}: {file}:{line}: {text}"},
    {"ninja, consequence", "{tool}: error: rebuilding {text}", meaning::consequence, "rebuilding "},
    {"ninja, consequence", "{tool}: build stopped: {text}", meaning::consequence, "build stopped: "},
    {"driver, consequence", "{tool}: error: ld returned {text}", meaning::consequence, "ld returned "},
    {"driver, consequence", "{tool}: error: linker command failed {text}", meaning::consequence,
     "linker command failed "},
    {"driver, consequence", "{tool}: all warnings being treated as errors", meaning::consequence,
     "all warnings being treated as errors"},
    // gold: its place may be a file with a line, or an object with a source and a function.
    {"gold, function", "{tool}:{file}:function {any}: {severity}: {text}"},
    {"linker, place", "{tool}: {file}:{line}: undefined reference to {text}", meaning::error,
     "undefined reference to "},
    {"linker, place", "{file}:{line}: undefined reference to {text}", meaning::error, "undefined reference to "},
    {"linker, section", "{tool}: {file}:({any}): undefined reference to {text}", meaning::error,
     "undefined reference to "},
    {"linker, section", "{file}:({any}): undefined reference to {text}", meaning::error, "undefined reference to "},
    {"linker, place", "{tool}: {file}:{line}: multiple definition of {text}", meaning::error,
     "multiple definition of "},
    {"linker, place", "{file}:{line}: multiple definition of {text}", meaning::error, "multiple definition of "},
    {"linker, section", "{file}:({any}): multiple definition of {text}", meaning::error, "multiple definition of "},
    {"linker, section", "{file}:({any}): warning: {text}", meaning::warning},
    {"compiler, line", "{file}:{line}: {severity}: {text}"},
    {"linker, file", "{tool}: {file}: {severity}: {text}"},
    {"tool", "{tool}: {severity}: {text}"},
    {"lld, place", ">>> referenced by {any} ({file}:{line})", meaning::place},
    {"lld, place", ">>> defined at {any} ({file}:{line})", meaning::place},
    {"lld, place", ">>> referenced by {file}:{line}", meaning::place},
    {"lld, place", ">>> referenced by {file}", meaning::place},
    {"linker", "{any}: in function {text}", meaning::nothing},
    {"linker", "{tool}: {any}: previous definition here", meaning::nothing},
    {"linker", "{tool}:{any}: file format not recognized; treating as linker script", meaning::nothing},
    {"linker", "{tool}: internal error in {text}", meaning::error, "internal error in "},
    {"linker script", "{tool}:{file}:{line}: {text}", meaning::error},
    {"linker", "{tool}: cannot find {text}", meaning::error, "cannot find "},
    {"program not found", "{tool}: line {line}: {file}: command not found", meaning::error},
    {"program not found", "{tool}: {line}: {file}: not found", meaning::error},
    {"program not found", "{tool}: {file}: No such file or directory", meaning::error},
    {"make, warning", "Makefile:{line}: {text}", meaning::warning},
    {"Meson", "ERROR: {text}", meaning::error},
    {"CMake", "Error: {text}", meaning::error},
};

// ld.bfd often says an error without the word.
constexpr std::string_view bfd_errors[]{
    "{tool}: final link failed{text}",
    "{tool}: {any}: relocation {any} can not be used {text}",
    "{tool}: {any}: undefined reference to {text}",
    "{tool}: {any}: file not recognized{text}",
    "{tool}: {any}: file format not recognized{text}",
    "{tool}: failed to {text}",
};

bool is_linker(std::string_view tool) {
  const std::string_view name = tool.substr(tool.rfind('/') + 1);
  return name.starts_with("ld") || name.find("-ld") != std::string_view::npos || name == "mold";
}

class reading {
 public:
  std::vector<diagnostic> run(std::string_view output) {
    const std::string plain = building::without_escapes(output);
    for (std::size_t at = 0; at < plain.size() && found_.size() < most;) {
      const std::size_t end = std::min(plain.find('\n', at), plain.size());
      take(std::string_view(plain).substr(at, std::min(end - at, longest_line)));
      at = end + 1;
    }
    return std::move(found_);
  }

 private:
  void take(std::string_view line) {
    while (!line.empty() && line.back() == ' ') line.remove_suffix(1);
    if (heading_ && continues_heading(line)) return;
    for (const rule& one : rules) {
      if (const std::optional<line_match> match = match_line(one.pattern, line)) return apply(one, line, *match);
    }
    for (const std::string_view pattern : bfd_errors) {
      const std::optional<line_match> match = match_line(pattern, line);
      if (!match || !is_linker(match->tool)) continue;
      const bool consequence = line.find(": final link failed") != std::string_view::npos;
      line_match whole = *match;
      whole.text = line.substr(match->tool.size() + 2);
      return apply({"linker", pattern, consequence ? meaning::consequence : meaning::error}, line, whole);
    }
  }

  // CMake's message is a paragraph, indented by two spaces, with empty lines between its parts.
  bool continues_heading(std::string_view line) {
    std::string& message = found_.back().message;
    if (line.starts_with("  ")) {
      if (!message.empty()) message += ' ';
      message.append(line.substr(line.find_first_not_of(' ')));
      return true;
    }
    heading_ = line.empty();
    return heading_;
  }

  void apply(const rule& by, std::string_view line, const line_match& match) {
    if (by.meaning == meaning::nothing) return;
    if (by.meaning == meaning::place) {
      if (found_.empty() || !found_.back().file.empty()) return;
      found_.back().file = match.file;
      found_.back().line = match.line;
      return;
    }
    diagnostic& made = found_.emplace_back();
    made.rule = by.name;
    made.file = match.file;
    made.line = match.line;
    made.column = match.column;
    made.tool = match.tool.substr(match.tool.rfind('/') + 1);
    made.message = by.meaning == meaning::whole ? std::string(line) : std::string(by.before) + std::string(match.text);
    if (by.meaning == meaning::whole && !made.tool.empty()) made.message.erase(0, match.tool.size() + 2);
    made.follows = by.meaning == meaning::consequence || by.meaning == meaning::whole;
    made.severity = severity_of(by.meaning, match);
    heading_ = by.meaning == meaning::heading;
    if (heading_ && line.find("Warning") < line.find(" at ")) made.severity = severity::warning;
    if (by.name == "program not found") {
      made.message = made.file + ": command not found";
      made.file.clear();
      made.line = 0;
    }
    if (by.name == "make, warning") made.file = "Makefile";
    if (made.message.ends_with(".  Stop.")) made.message.resize(made.message.size() - 8);
    split_option(made);
  }

  static autoreload::severity severity_of(meaning how, const line_match& match) {
    switch (how) {
      case meaning::as_told: return match.severity;
      case meaning::warning: return severity::warning;
      case meaning::note: return severity::note;
      default: return severity::error;
    }
  }

  // `unused variable 'x' [-Wunused-variable]`
  static void split_option(diagnostic& of) {
    const std::size_t start = of.message.rfind(" [-");
    if (start == std::string::npos || of.message.back() != ']') return;
    of.option = of.message.substr(start + 2, of.message.size() - start - 3);
    of.message.resize(start);
  }

  std::vector<diagnostic> found_;
  bool heading_ = false;
};

}  // namespace

std::string_view to_string(severity how) noexcept {
  switch (how) {
    case severity::note: return "note";
    case severity::warning: return "warning";
    case severity::error: return "error";
  }
  return "unknown";
}

std::string to_string(const diagnostic& one) {
  std::string text = one.file.empty() ? one.tool : one.file;
  if (one.line != 0) text += ":" + std::to_string(one.line);
  if (one.column != 0) text += ":" + std::to_string(one.column);
  if (!text.empty()) text += ": ";
  text.append(to_string(one.severity)).append(": ").append(one.message);
  if (!one.option.empty()) text += " [" + one.option + "]";
  return text;
}

const diagnostic* first_error(const std::vector<diagnostic>& all) noexcept {
  const auto first = [&](auto fits) -> const diagnostic* {
    const auto found = std::find_if(
        all.begin(), all.end(), [&](const diagnostic& one) { return one.severity == severity::error && fits(one); });
    return found == all.end() ? nullptr : &*found;
  };
  if (const auto* found = first([](const diagnostic& one) { return !one.follows && one.line != 0; })) return found;
  if (const auto* found = first([](const diagnostic& one) { return !one.follows; })) return found;
  return first([](const diagnostic&) { return true; });
}

std::vector<diagnostic> read_diagnostics(std::string_view output) { return reading().run(output); }

}  // namespace autoreload
