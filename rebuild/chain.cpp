// SPDX-License-Identifier: MIT
// chain: learns commands from ninja's graph and from a dry run of CMake's Makefiles.
#include "rebuild/chain.hpp"
#include "rebuild/text_file.hpp"

#include <algorithm>
#include <array>
#include <filesystem>
#include <set>

namespace autoreload::building {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t longest_chain = 8;  // commands; a change with more consequences is the tool's business

bool remember(chain& into, const std::vector<std::string>& files) {
  for (const std::string& file : files) {
    struct stat status {};
    if (::stat(file.c_str(), &status) != 0) return false;
    into.learned_from.emplace_back(file, status);
  }
  return true;
}

// The lines of `ninja -t query NAME` under a heading such as `  outputs:`.
std::vector<std::string> under(const std::string& answer, std::string_view heading) {
  std::vector<std::string> found;
  bool here = false;
  for (const std::string& line : lines_of(answer)) {
    if (line.starts_with("    ")) {
      if (here) found.push_back(line.substr(4));
    } else {
      here = line.starts_with(heading);
    }
  }
  return found;
}

// From the source up to the library, each step by its only command. A step that other things hang on is no obstacle:
// they are not what the library is made of.
std::optional<chain> learn_from_ninja(tool_finder& ask, const build_tool& tool, const std::string& source) {
  const std::string& directory = tool.run.directory;
  const auto answer = [&](const std::vector<std::string>& words) { return ask.answer(words, directory).value_or(""); };
  std::set<std::string> ancestors{tool.target};
  for (const std::string& name : lines_of(answer({"ninja", "-t", "inputs", tool.target}))) ancestors.insert(name);
  chain made;
  if (!remember(made, tool.build_files)) return std::nullopt;
  // ninja knows the source by the name that its build file has: relative, or absolute.
  std::string at = fs::path(source).lexically_relative(directory);
  std::string known = answer({"ninja", "-t", "query", at});
  if (known.empty()) known = answer({"ninja", "-t", "query", at = source});
  while (at != tool.target) {
    std::vector<std::string> next = under(known, "  outputs:");
    std::erase_if(next, [&](const std::string& name) { return !ancestors.contains(name); });
    if (next.size() != 1 || made.lines.size() >= longest_chain) return std::nullopt;
    at = next[0];
    const std::vector<std::string> lines = lines_of(answer({"ninja", "-t", "commands", "-s", at}));
    if (lines.size() != 1 || lines[0].find(".rsp") != std::string::npos) return std::nullopt;
    // The links of a versioned library are there, and lead where they led.
    if (lines[0].find(" -E cmake_symlink_library ") == std::string::npos) made.lines.push_back(lines[0]);
    known = answer({"ninja", "-t", "query", at});
  }
  return made.lines.empty() ? std::nullopt : std::optional(std::move(made));
}

// CMake writes the same few kinds of lines into every Makefile: those for people, and for itself, are left out.
bool adds_nothing(const std::string& line) {
  constexpr std::array silent{"cmake_echo_color", "cmake_progress_start", "cmake_progress_report",
                              "cmake_symlink_library", "touch_nocreate"};
  return std::any_of(silent.begin(), silent.end(), [&](const char* word) {
    return line.find(std::string(" -E ") + word + " ") != std::string::npos;
  });
}

std::optional<chain> learn_from_cmake(tool_finder& ask, const build_tool& tool, const std::string& source) {
  const fs::path top = tool.run.directory;
  const std::string rules = (tool.target_directory / "build.make").lexically_relative(top);
  const std::string goal = (tool.target_directory / "build").lexically_relative(top);
  const std::optional<std::string> plan =
      ask.answer({tool.run.words[0], "-n", "-f", rules, "-W", source, goal}, tool.run.directory);
  if (!plan) return std::nullopt;
  chain made;
  const fs::path link = tool.target_directory / "link.txt";
  if (!remember(made, {tool.target_directory / "build.make", link, tool.target_directory / "flags.make"}))
    return std::nullopt;
  if (!remember(made, tool.build_files)) return std::nullopt;
  for (const std::string& line : lines_of(*plan)) {
    if (adds_nothing(line)) continue;
    const std::size_t script = line.find(" -E cmake_link_script ");
    if (script == std::string::npos) {
      made.lines.push_back(line);
      continue;
    }
    // The script's lines are run in the directory of the target; `cd DIRECTORY && ` may stand before.
    const std::size_t there = line.find(" && ");
    const std::string enter = there < script ? line.substr(0, there + 4) : "";
    for (const std::string& one : lines_of(read_text(link))) made.lines.push_back(enter + one);
  }
  const bool known = made.lines.size() >= 2 && made.lines.size() <= longest_chain &&
                     std::none_of(made.lines.begin(), made.lines.end(), [](const std::string& line) {
                       return line.find("cmake -E ") != std::string::npos || line.ends_with('\\');
                     });
  return known ? std::optional(std::move(made)) : std::nullopt;
}

bool same(const struct stat& a, const struct stat& b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino && a.st_size == b.st_size &&
         a.st_mtim.tv_sec == b.st_mtim.tv_sec && a.st_mtim.tv_nsec == b.st_mtim.tv_nsec;
}

}  // namespace

std::optional<chain> learn_chain(tool_finder& ask, const build_tool& tool, const std::string& source,
                                 const std::string& library) {
  std::error_code problem;
  if (!fs::exists(library, problem)) return std::nullopt;
  if (tool.kind == tool_kind::ninja) return learn_from_ninja(ask, tool, source);
  if (tool.kind == tool_kind::cmake_make) return learn_from_cmake(ask, tool, source);
  return std::nullopt;  // a Makefile by hand may do anything that a dry run does not print
}

bool holds(const chain& learned) {
  return std::all_of(learned.learned_from.begin(), learned.learned_from.end(), [](const auto& one) {
    struct stat now {};
    return ::stat(one.first.c_str(), &now) == 0 && same(now, one.second);
  });
}

command run_of(const chain& learned, const build_tool& tool) {
  std::string script;
  for (std::size_t i = 0; i < learned.lines.size(); ++i) {
    // The lines of a Makefile have shells of their own: a `cd` of one is not the next one's. The last may use this one.
    const bool last = i + 1 == learned.lines.size();
    script += last ? learned.lines[i] : "(" + learned.lines[i] + "\n) || exit\n";
  }
  return {{"/bin/sh", "-c", script}, tool.run.directory, tool.run.environment};
}

std::optional<compile_and_link> read_two(const chain& learned) {
  if (learned.lines.size() != 2) return std::nullopt;
  std::optional<bare_command> compile = bare(learned.lines[0]);
  std::optional<bare_command> link = bare(learned.lines[1]);
  if (!compile || !link) return std::nullopt;
  std::string source = compile->value_after("-c");
  std::string object = compile->value_after("-o");
  const auto& linked = link->words;
  if (source.empty() || object.empty() || link->value_after("-o").empty()) return std::nullopt;
  if (std::find(linked.begin(), linked.end(), object) == linked.end()) return std::nullopt;
  return compile_and_link{*std::move(compile), *std::move(link), std::move(source), std::move(object)};
}

}  // namespace autoreload::building
