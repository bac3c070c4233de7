// SPDX-License-Identifier: MIT
// header_library: each name becomes a variable of the type "pointer to it"; the compiler's errors say which names the
// header does not declare.
#include "header_library.hpp"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>
#include <utility>

#include "command_line.hpp"
#include "header_constants.hpp"

namespace autoreload::command {

namespace {

constexpr std::string_view prefix = "autoreload_type_of_";

bool is_c_name(const std::string& name) {
  return !name.empty() && std::isdigit(static_cast<unsigned char>(name[0])) == 0 &&
         std::ranges::all_of(name, [](unsigned char c) { return std::isalnum(c) != 0 || c == '_'; });
}

// The line numbers of `FILE:LINE:COLUMN: error:`; gcc says of an error in a macro where the macro stands, and in a note
// where it is used.
std::set<std::size_t> error_lines(const std::string& output, const std::string& file) {
  std::set<std::size_t> lines;
  for (std::size_t at = output.find(file + ":"); at != std::string::npos; at = output.find(file + ":", at + 1)) {
    const std::size_t number = at + file.size() + 1;
    const std::string text = output.substr(at, output.find('\n', at) - at);
    const bool wrong = text.find("error:") != std::string::npos || text.find("in expansion of") != std::string::npos;
    if (wrong) lines.insert(static_cast<std::size_t>(std::strtoul(output.c_str() + number, nullptr, 10)));
  }
  return lines;
}

std::string includes_of(const types_wanted& wanted) {
  std::string head = "#define _GNU_SOURCE 1\n";
  for (const std::string& header : wanted.headers) {
    // A file of the user's own is named by its path, and may include others beside it.
    const bool file = std::filesystem::exists(header);
    head += file ? "#include \"" + std::filesystem::absolute(header).string() + "\"\n" : "#include <" + header + ">\n";
  }
  return head;
}

std::vector<std::string> command_for(const types_wanted& wanted, const std::vector<std::string>& words) {
  std::vector<std::string> command{wanted.compiler, "-w"};
  if (wanted.compiler.find("clang") != std::string::npos) command.emplace_back("-ferror-limit=0");
  for (const std::string& place : wanted.include_directories) command.push_back("-I" + place);
  command.insert(command.end(), words.begin(), words.end());
  return command;
}

std::set<std::string, std::less<>> words_in(const std::string& text) {
  const auto is_letter = [](unsigned char c) { return std::isalnum(c) != 0 || c == '_'; };
  std::set<std::string, std::less<>> words;
  for (auto begin = text.begin(); begin != text.end();) {
    const auto end = std::find_if_not(begin, text.end(), is_letter);
    words.emplace(begin, end);
    begin = std::find_if(end, text.end(), is_letter);
  }
  return words;
}

bool write_lines(const std::string& path, const std::string& head, const std::vector<std::string>& lines) {
  std::ofstream file(path);
  file << head;
  for (const std::string& line : lines) file << line << '\n';
  return static_cast<bool>(file.flush());
}

// The second round compiles what the first one left.
// @return how it went at last
ran_command compile_what_can_be(const std::vector<std::string>& command, const std::string& head,
                                std::vector<std::string> lines) {
  const std::string& source = command.back();
  const auto head_lines = static_cast<std::size_t>(std::ranges::count(head, '\n'));
  ran_command ran;
  for (int round = 0; round < 2; ++round) {
    if (!write_lines(source, head, lines)) return {.output = "a temporary file could not be written"};
    ran = run_command(command);
    if (!ran.started || ran.status == 0) return ran;
    const std::set<std::size_t> wrong = error_lines(ran.output, source);
    std::vector<std::string> rest;
    for (std::size_t i = 0; i < lines.size(); ++i) {
      if (!wrong.contains(head_lines + i + 1)) rest.push_back(lines[i]);
    }
    const bool header_is_wrong = wrong.empty() || *wrong.begin() <= head_lines;
    if (header_is_wrong || rest.size() == lines.size()) return ran;
    lines = std::move(rest);
  }
  return ran;
}

}  // namespace

result<header_library> header_library::compile(const types_wanted& wanted, const std::vector<std::string>& names,
                                               const std::string& library) {
  header_library made;
  std::error_code problem;
  std::string directory = (std::filesystem::temp_directory_path(problem) / "autoreload-header-XXXXXX").string();
  if (problem || mkdtemp(directory.data()) == nullptr) {
    return error(stage::use, directory, "no temporary directory could be made")
        .system(problem ? problem.message() : std::strerror(errno))
        .advise("let TMPDIR name a directory that can be written to");
  }
  made.directory_ = directory;
  made.path_ = directory + "/types.so";
  const std::string source = directory + "/types.c";
  const std::string head = includes_of(wanted);
  if (!write_lines(source, head, {})) return error(stage::use, source, "a temporary file could not be written");

  std::vector<std::string> command = command_for(wanted, {"-g", "-fPIC", "-shared"});
  command.insert(command.end(), {"-fno-eliminate-unused-debug-types", "-o", made.path_, source});
  // A compiler takes its time over each name that is not declared.
  const bool many = wanted.everything || names.size() > 10;
  std::string text;
  if (many) text = run_command(command_for(wanted, {"-E", "-dD", source})).output;
  const std::set<std::string, std::less<>> words = words_in(text);
  std::vector<std::string> symbols;
  for (const std::string& name : names) {
    if (is_c_name(name) && (!many || words.contains(name)))
      symbols.push_back("__typeof__(&" + name + ") " + std::string(prefix) + name + ";");
  }
  std::vector<std::string> all = symbols;
  const std::set<std::string> exported(names.begin(), names.end());
  for (const std::string& name : wanted.everything ? macros_in(text) : wanted.names) {
    if (!is_c_name(name) || exported.contains(name)) continue;
    all.push_back(constant_line(name));
    made.constants_.push_back(constant_line_tag(name));
  }
  ran_command ran = compile_what_can_be(command, head, all);
  // A macro may be anything, and a compiler may have said no more than the first errors.
  if (ran.started && ran.status != 0 && all.size() != symbols.size()) ran = compile_what_can_be(command, head, symbols);
  if (!ran.started) return error(stage::use, wanted.compiler, "the C compiler could not be started").system(ran.output);
  if (ran.status == 0) return made;
  return error(stage::use, library, "the C compiler does not accept the header")
      .system(ran.output.substr(0, ran.output.find('\n', std::min<std::size_t>(ran.output.size(), 600))))
      .advise("name the directory of what it includes by -I, or the header that comes before it by another --header");
}

header_library::header_library(header_library&& other) noexcept
    : directory_(std::exchange(other.directory_, {})),
      path_(std::move(other.path_)),
      constants_(std::move(other.constants_)) {}

header_library::~header_library() {
  std::error_code ignored;
  if (!directory_.empty()) std::filesystem::remove_all(directory_, ignored);
}

void header_library::rename(types::description& types, const library& of) const {
  take_constants(types);
  std::vector<types::symbol> symbols;
  for (types::symbol& s : types.symbols) {
    if (!s.name.starts_with(prefix)) continue;
    s.name.erase(0, prefix.size());
    const exported_name* const exported = of.find(s.name);
    const types::type& pointer = types.at(s.type);
    if (exported == nullptr || pointer.kind != types::kind::pointer) continue;
    symbols.push_back({s.name, exported->function, pointer.target});
  }
  types.symbols = std::move(symbols);
  types.problems.clear();  // of the compiled header, not of the library
}

}  // namespace autoreload::command
