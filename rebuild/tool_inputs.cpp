// SPDX-License-Identifier: MIT
// tool_inputs: what ninja, make, CMake's files and a compiler know of a library's sources.
#include <algorithm>
#include <filesystem>
#include <map>
#include <set>
#include <sstream>
#include <system_error>
#include <utility>

#include "rebuild/build_tool.hpp"
#include "rebuild/text_file.hpp"

namespace autoreload::building {
namespace fs = std::filesystem;
namespace {

// `ninja -t inputs` writes a name as a shell would need it: 'with a space'.
std::vector<std::string> unquoted(std::vector<std::string> names) {
  for (std::string& name : names) {
    if (name.size() < 2 || name.front() != '\'' || name.back() != '\'') continue;
    std::string plain;
    for (std::size_t at = 1; at + 1 < name.size(); ++at) {
      plain += name[at];
      if (name.compare(at, 4, "'\\''") == 0) at += 3;
    }
    name = std::move(plain);
  }
  return names;
}

// `ninja -t deps` prints for each object `NAME: #deps 3, …` and then its files, indented.
std::vector<std::string> read_ninja_deps(const std::string& text, const std::set<std::string>& objects) {
  std::vector<std::string> found;
  bool wanted = false;
  for (const std::string& line : lines_of(text)) {
    if (line.starts_with(' ')) {
      if (wanted) found.push_back(line.substr(line.find_first_not_of(' ')));
    } else {
      wanted = objects.contains(line.substr(0, line.find(": #deps")));
    }
  }
  return found;
}

}  // namespace

tool_inputs tool_finder::inputs(const build_tool& of) {
  tool_inputs found;
  const std::string& directory = of.run.directory;
  const auto ask = [&](const std::vector<std::string>& words) { return answer(words, directory).value_or(""); };
  if (of.kind == tool_kind::ninja) {
    const std::vector<std::string> all = unquoted(lines_of(ask({"ninja", "-t", "inputs", of.target})));
    const std::set<std::string> objects(all.begin(), all.end());
    for (const std::string& line : lines_of(ask({"ninja", "-t", "targets", "all"}))) {
      // Meson and CMake list what the build files are made from as phony targets: those are sources.
      if (!line.ends_with(": phony")) found.products.push_back(line.substr(0, line.rfind(": ")));
    }
    found.sources = read_ninja_deps(ask({"ninja", "-t", "deps"}), objects);
    found.sources.insert(found.sources.end(), all.begin(), all.end());
    found.configuration = unquoted(lines_of(ask({"ninja", "-t", "inputs", "build.ninja"})));
  } else if (of.kind == tool_kind::make) {
    found = read_make_database(ask({"make", "-pn", of.target}), of.target);
  } else if (of.kind == tool_kind::compiler) {
    for (const command& question : of.questions) {
      const std::string depfile = answer(question.words, question.directory).value_or("");
      for (const std::string& name : read_depfile(depfile))
        found.sources.push_back(fs::path(question.directory) / name);
    }
  } else if (of.kind == tool_kind::cmake_make) {
    std::error_code problem;
    // Somebody may remove the directory meanwhile.
    for (auto at = fs::recursive_directory_iterator(of.target_directory, problem);
         !problem && at != fs::recursive_directory_iterator(); at.increment(problem)) {
      if (at->path().extension() != ".d") continue;
      for (std::string& name : read_depfile(read_text(at->path()))) found.sources.push_back(std::move(name));
    }
    // The list of what its own Makefiles are made from.
    const std::string list = read_text(fs::path(directory) / "CMakeFiles/Makefile.cmake");
    for (std::size_t at = 0; (at = list.find('"', at)) != std::string::npos;) {
      const std::size_t end = std::min(list.find('"', at + 1), list.size());
      const std::string name = list.substr(at + 1, end - at - 1);
      if (name.ends_with(".txt") || name.ends_with(".cmake")) found.configuration.push_back(name);
      at = end + 1;
    }
  }
  found.sources.insert(found.sources.end(), found.configuration.begin(), found.configuration.end());
  found.complete = !interrupted_;
  return found;
}

std::vector<std::string> read_depfile(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  bool after_colon = false;
  const auto end_word = [&] {
    if (!word.empty() && after_colon && word.back() != ':') words.push_back(word);
    if (!word.empty() && word.back() == ':') after_colon = true;
    word.clear();
  };
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    const char next = at + 1 < text.size() ? text[at + 1] : '\0';
    if (c == '\\' && (next == '\n' || next == '\r')) {
      end_word();
      at += next == '\r' ? 2 : 1;
    } else if ((c == '\\' && (next == ' ' || next == '#' || next == ':')) || (c == '$' && next == '$')) {
      word += next;
      ++at;
    } else if (c == ' ' || c == '\n' || c == '\t' || c == '\r') {
      end_word();
      if (c == '\n') after_colon = false;
    } else {
      word += c;
    }
  }
  end_word();
  return words;
}

tool_inputs read_make_database(std::string_view text, const std::string& target) {
  std::map<std::string, std::vector<std::string>> rules;
  const std::string whole(text.substr(std::min(text.find("\n# Files"), text.size())));
  for (const std::string& line : lines_of(whole)) {
    if (line.front() == '#' || line.front() == '\t') continue;
    const std::size_t colon = line.find(": ");
    if (colon == std::string::npos) continue;
    std::istringstream words(line.substr(colon + 1));
    std::vector<std::string>& prerequisites = rules[line.substr(0, colon)];
    for (std::string word; words >> word;) {
      if (word != "|") prerequisites.push_back(word);
    }
  }
  std::set<std::string> seen{target};
  tool_inputs found;
  for (std::vector<std::string> left{target}; !left.empty();) {
    const std::string name = std::move(left.back());
    left.pop_back();
    const auto rule = rules.find(name);
    if (rule == rules.end() || rule->second.empty()) {
      if (name != target) found.sources.push_back(name);
      continue;
    }
    found.products.push_back(name);
    for (const std::string& one : rule->second) {
      if (seen.insert(one).second) left.push_back(one);
    }
  }
  return found;
}

}  // namespace autoreload::building
