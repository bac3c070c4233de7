// SPDX-License-Identifier: MIT
// compile_steps: reads them from compile_commands.json and from what compilers record of themselves.
#include "rebuild/compile_steps.hpp"

#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <iterator>
#include <set>
#include <sstream>
#include <string_view>
#include <system_error>
#include <utility>

#include "rebuild/bare_command.hpp"
#include "rebuild/compile_database.hpp"
#include "rebuild/compile_units.hpp"
#include "rebuild/judge.hpp"
#include "rebuild/line_files.hpp"
#include "rebuild/sources.hpp"
#include "rebuild/text_file.hpp"

namespace autoreload::building {
namespace fs = std::filesystem;
namespace {

constexpr std::uintmax_t largest_database = std::uintmax_t{1} << 26;  // bytes
constexpr int most_directories = 5'000;                               // in which a header is sought
constexpr int deepest_directory = 5;

bool alike(const compile_step& a, const compile_step& b) {
  return a.directory == b.directory && a.compiler == b.compiler && a.options == b.options;
}

bool in_path(const std::string& program) {
  const char* const path = std::getenv("PATH");
  std::istringstream directories(path != nullptr ? path : "/usr/bin:/bin");
  for (std::string one; std::getline(directories, one, ':');) {
    if (::access((one + "/" + program).c_str(), X_OK) == 0) return true;
  }
  return false;
}

// `gcc-12` where it is there, else `gcc`.
std::string program_of(const std::string& name, const std::string& version) {
  const std::string versioned = name + "-" + version.substr(0, version.find('.'));
  return in_path(versioned) ? versioned : name;
}

bool is_c(const std::string& source) { return source.ends_with(".c"); }

// What the producer of a unit says: `GNU C17 12.2.0 -O2 …`, `Debian clang version 14.0.6 /usr/bin/clang -O2 …`.
// @return whether it is understood
bool read_producer(const std::string& text, compile_step& into) {
  std::istringstream in(text);
  const std::vector<std::string> words{std::istream_iterator<std::string>(in), {}};
  const auto version = std::find(words.begin(), words.end(), "version");
  if (version != words.end() && version != words.begin() && *(version - 1) == "clang" && version + 1 != words.end()) {
    const auto program = std::find_if(version, words.end(), [](const std::string& word) { return word[0] == '/'; });
    if (program == words.end()) {
      into.compiler = {program_of(is_c(into.source) ? "clang" : "clang++", *(version + 1))};
      return true;  // without -grecord-command-line no option is known
    }
    into.compiler = {*program};
    into.options = compile_options({program + 1, words.end()});
    return true;
  }
  if (words.size() < 3 || words[0] != "GNU") return false;
  const bool assembler = words[1] == "AS";
  const bool cpp = words[1].starts_with("C++");
  if (!assembler && !cpp && !(words[1].size() > 1 && words[1][0] == 'C' && std::isdigit(words[1][1]) != 0))
    return false;
  into.compiler = {assembler ? "gcc" : program_of(cpp ? "g++" : "gcc", words[2])};
  const auto first = std::find_if(words.begin(), words.end(), [](const std::string& word) { return word[0] == '-'; });
  into.options = compile_options({first, words.end()});
  if (assembler) into.options = {"-g"};
  return true;
}

std::vector<std::string> joined(std::vector<std::string> words, const std::vector<std::string>& more) {
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

bool all_alike(const std::vector<compile_step>& steps) {
  return std::all_of(steps.begin(), steps.end(), [&](const compile_step& one) { return alike(one, steps[0]); });
}

// C++ needs its own driver to be linked.
const compile_step& linked_by(const std::vector<compile_step>& steps) {
  const auto cpp = std::find_if(steps.begin(), steps.end(), [](const compile_step& one) {
    return one.compiler.back().find("++") != std::string::npos;
  });
  return cpp != steps.end() ? *cpp : steps[0];
}

// compile_commands.json where tools look for it: in the directories above, and in a directory `build` of each.
std::vector<fs::path> databases_for(const std::string& library, const std::vector<compile_step>& steps) {
  std::vector<fs::path> found;
  for (const std::string& below : {library, steps[0].path()}) {
    for (fs::path at = fs::path(below).parent_path();; at = at.parent_path()) {
      for (const fs::path& place : {at / "compile_commands.json", at / "build/compile_commands.json"}) {
        std::error_code problem;
        if (fs::is_regular_file(place, problem) && fs::file_size(place, problem) <= largest_database &&
            std::find(found.begin(), found.end(), place) == found.end()) {
          found.push_back(place);
        }
      }
      if (at == at.parent_path()) break;
    }
  }
  return found;
}

// The steps as the database has them, when it has them all.
bool take_from(const std::vector<compile_entry>& entries, std::vector<compile_step>& steps) {
  for (compile_step& one : steps) {
    const auto entry =
        std::find_if(entries.begin(), entries.end(), [&](const compile_entry& of) { return of.source == one.path(); });
    if (entry == entries.end()) return false;
    const std::string path = one.path();
    const std::size_t compiler = entry->words[0].ends_with("ccache") && entry->words.size() > 1 ? 2 : 1;
    const auto options = entry->words.begin() + static_cast<std::ptrdiff_t>(compiler);
    // The source as the command names it: a relative name stays relative, as in __FILE__.
    const auto named = std::find_if(options, entry->words.end(), [&](const std::string& word) {
      return (fs::path(entry->directory) / word).lexically_normal() == path;
    });
    one = {entry->directory,
           named == entry->words.end() ? path : *named,
           {entry->words.begin(), options},
           compile_options({options, entry->words.end()})};
  }
  return true;
}

}  // namespace

std::vector<std::string> words_of(const std::vector<compile_step>& steps, const std::vector<std::string>& link,
                                  const std::string& output) {
  if (all_alike(steps)) {
    std::vector<std::string> words = joined(steps[0].compiler, steps[0].options);
    for (const compile_step& one : steps) words.push_back(one.source);
    return joined(joined(std::move(words), link), {"-o", output});
  }
  std::string script = "objects=$(mktemp -d) || exit\ntrap 'rm -rf \"$objects\"' EXIT\ntrap 'exit 143' TERM\n";
  std::string objects;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const std::string object = " \"$objects\"/" + std::to_string(i) + ".o";
    script += "(cd " + quoted(steps[i].directory) + " && " + line_of(joined(steps[i].compiler, steps[i].options)) +
              " -c -o" + object + " " + quoted(steps[i].source) + ") || exit\n";
    objects += object;
  }
  return {"/bin/sh", "-c",
          script + line_of(linked_by(steps).compiler) + objects + " " + line_of(joined(link, {"-o", output})) + "\n"};
}

std::vector<std::string> depfile_words(const compile_step& of) {
  return joined(joined(of.compiler, of.options), {"-MM", of.source});
}

std::string short_command(const std::vector<compile_step>& steps) {
  std::vector<std::string> sources;
  sources.reserve(steps.size());
  for (const compile_step& one : steps) sources.push_back(one.source);
  return line_of(joined(steps[0].compiler, steps[0].options)) + (all_alike(steps) ? " " : " … ") + short_list(sources);
}

std::string read_steps(debug_file& debug, std::vector<compile_step>& into) {
  for (const compile_unit& unit : list_compile_units(debug)) {
    compile_step one{unit.directory, unit.source, {}, {}};
    std::error_code problem;
    if (!fs::is_regular_file(one.path(), problem)) return "its source " + one.path() + " is not there";
    if (!read_producer(unit.producer, one))
      return unit.source + " was compiled by \"" + unit.producer.substr(0, 60) + "\", which is not understood";
    into.push_back(std::move(one));
  }
  if (!into.empty()) return {};
  return debug.problem().empty() ? "no debug information of it names a source" : debug.problem();
}

std::string directory_of_header(const std::string& header, debug_file& debug, const std::vector<compile_step>& steps) {
  const auto holds = [&](const fs::path& directory) {
    std::error_code problem;
    return fs::is_regular_file(directory / header, problem);
  };
  for (const std::string& file : users_files({list_line_files(debug), {steps[0].directory}, {}, {}})) {
    for (fs::path at = fs::path(file).parent_path(); at != at.parent_path(); at = at.parent_path()) {
      if (holds(at)) return at;
    }
  }
  int left = most_directories;
  for (const fs::path& top : {fs::path(steps[0].directory), fs::path(steps[0].directory).parent_path()}) {
    std::error_code problem;
    if (holds(top)) return top;
    for (auto at = fs::recursive_directory_iterator(top, fs::directory_options::skip_permission_denied, problem);
         !problem && at != fs::recursive_directory_iterator() && left > 0; at.increment(problem)) {
      if (!at->is_directory(problem)) continue;
      --left;
      if (at.depth() >= deepest_directory || at->path().filename().string().starts_with('.'))
        at.disable_recursion_pending();
      if (holds(at->path())) return at->path();
    }
  }
  return {};
}

std::vector<compile_candidate> candidates_for(const std::string& library, const std::vector<compile_step>& steps) {
  std::vector<compile_candidate> found;
  for (const fs::path& database : databases_for(library, steps)) {
    compile_candidate one{steps, {}, "by " + database.string(), database};
    if (take_from(read_compile_database(read_text(database), database.parent_path()), one.steps))
      found.push_back(std::move(one));
  }
  const std::string from = "by its debug information";
  std::vector<std::vector<std::string>> more{{}};
  if (steps[0].options.empty())
    more = {{"-g", "-fPIC"},
            {"-g", "-O2", "-fPIC"},
            {"-g", "-O1", "-fPIC"},
            {"-g", "-O3", "-fPIC"},
            {"-g", "-Os", "-fPIC"}};
  for (const std::vector<std::string>& options : more) {
    compile_candidate one{steps, {}, from, {}};
    for (compile_step& of : one.steps) of.options = joined(of.options, options);
    found.push_back(std::move(one));
  }
  return found;
}

}  // namespace autoreload::building
