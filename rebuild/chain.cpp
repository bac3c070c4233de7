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

std::string quoted(const std::string& word) {
  std::string text = "'";
  for (const char c : word) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return text + "'";
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

namespace {

struct one_command {
  std::string enter;  // `cd DIRECTORY && `, or nothing
  std::vector<std::string> words;
};

// Takes off what tools put around a compiler's command: `cd X && `, `: && … && :`, ccache.
std::optional<one_command> bare(std::string line) {
  one_command found;
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

std::string value_after(const std::vector<std::string>& words, std::string_view option) {
  const auto found = std::find(words.begin(), words.end(), option);
  return found == words.end() || found + 1 == words.end() ? "" : *(found + 1);
}

// The options that say what the source means. How to optimise and what to warn of is gcc's business.
std::string meaning_options(const std::vector<std::string>& words) {
  std::string kept;
  for (std::size_t i = 1; i < words.size(); ++i) {
    const std::string_view word = words[i];
    const bool path = word.starts_with("-I") || word.starts_with("-D") || word.starts_with("-U");
    const bool two = word == "-isystem" || word == "-include" || ((word == "-I" || word == "-D" || word == "-U"));
    if (two && i + 1 < words.size()) {
      kept += " " + std::string(word) + " " + quoted(words[++i]);
    } else if (path) {
      kept += " " + quoted(words[i]);
    }
  }
  return kept;
}

}  // namespace

std::optional<chain> with_tcc(const chain& learned, const std::string& library) {
  if (learned.lines.size() != 2) return std::nullopt;
  const std::optional<one_command> compile = bare(learned.lines[0]);
  const std::optional<one_command> link = bare(learned.lines[1]);
  if (!compile || !link) return std::nullopt;
  const std::string source = value_after(compile->words, "-c");
  const std::string object = value_after(compile->words, "-o");
  const std::string output = value_after(link->words, "-o");
  if (!source.ends_with(".c") || object.empty() || output.empty()) return std::nullopt;
  const auto is_object = [](const std::string& word) { return word.ends_with(".o") || word.ends_with(".a"); };
  const auto objects = std::count_if(link->words.begin() + 1, link->words.end(), is_object);
  if (std::find(link->words.begin(), link->words.end(), object) == link->words.end()) return std::nullopt;
  std::error_code ignored;
  const std::string real = fs::weakly_canonical(library, ignored);
  const std::string beside = real + ".tcc";
  const std::string options = meaning_options(compile->words);
  chain made;
  made.learned_from = learned.learned_from;
  if (objects == 1) {
    std::string libraries;
    for (const std::string& word : link->words) {
      if (word.starts_with("-l") || word.starts_with("-L")) libraries += " " + quoted(word);
    }
    made.lines.push_back(compile->enter + "tcc -shared" + options + " -o " + quoted(beside) + " " + quoted(source) +
                         libraries);
  } else {
    made.lines.push_back(compile->enter + "tcc -c -fPIC" + options + " -o " + quoted(beside + ".o") + " " +
                         quoted(source));
    std::string again;
    // tcc's objects do not say that they need no executable stack, and linkers take silence for a yes.
    const std::string linker = fs::path(link->words[0]).filename();
    const bool driver = linker != "mold" && !linker.starts_with("ld");
    for (std::size_t i = 0; i < link->words.size(); ++i) {
      const std::string& word = link->words[i];
      const bool after_output = i > 0 && link->words[i - 1] == "-o";
      again += (i > 0 ? " " : "") + quoted(word == object ? beside + ".o" : after_output ? beside : word);
    }
    made.lines.push_back(link->enter + again + (driver ? " -Wl,-z,noexecstack" : " -z noexecstack"));
  }
  made.lines.push_back("mv -f " + quoted(beside) + " " + quoted(real));
  return made;
}

}  // namespace autoreload::building
