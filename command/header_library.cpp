// SPDX-License-Identifier: MIT
// header_library: each name becomes a variable of the type "pointer to it"; the compiler's errors say which names the
// header does not declare.
#include "header_library.hpp"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <utility>

#include "command_line.hpp"

namespace autoreload::command {

namespace {

constexpr std::string_view prefix = "autoreload_type_of_";

bool is_c_name(const std::string& name) {
  return !name.empty() && std::isdigit(static_cast<unsigned char>(name[0])) == 0 &&
         std::ranges::all_of(name, [](unsigned char c) { return std::isalnum(c) != 0 || c == '_'; });
}

// The line numbers of `FILE:LINE:COLUMN: error:`.
std::set<std::size_t> error_lines(const std::string& output, const std::string& file) {
  std::set<std::size_t> lines;
  for (std::size_t at = output.find(file + ":"); at != std::string::npos; at = output.find(file + ":", at + 1)) {
    const std::size_t number = at + file.size() + 1;
    const std::size_t end = output.find('\n', at);
    if (output.substr(at, end - at).find("error:") == std::string::npos) continue;
    lines.insert(static_cast<std::size_t>(std::strtoul(output.c_str() + number, nullptr, 10)));
  }
  return lines;
}

}  // namespace

result<header_library> header_library::compile(const types_wanted& wanted, const std::vector<std::string>& names,
                                               const std::string& library) {
  header_library made;
  std::string directory = (std::filesystem::temp_directory_path() / "autoreload-header-XXXXXX").string();
  if (mkdtemp(directory.data()) == nullptr) return error(stage::use, directory, "no temporary directory could be made");
  made.directory_ = directory;
  made.path_ = directory + "/types.so";
  const std::string source = directory + "/types.c";

  std::string head = "#define _GNU_SOURCE 1\n";
  for (const std::string& header : wanted.headers) {
    // A file of the user's own is named by its path, and may include others beside it.
    const bool file = std::filesystem::exists(header);
    head += file ? "#include \"" + std::filesystem::absolute(header).string() + "\"\n" : "#include <" + header + ">\n";
  }
  const auto head_lines = static_cast<std::size_t>(std::ranges::count(head, '\n'));
  std::vector<std::string> declared;
  for (const std::string& name : names) {
    if (is_c_name(name)) declared.push_back(name);
  }
  const auto write = [&] {
    std::ofstream file(source);
    file << head;
    for (const std::string& name : declared) file << "__typeof__(&" << name << ") " << prefix << name << ";\n";
    return static_cast<bool>(file.flush());
  };
  std::vector<std::string> line{
      wanted.compiler, "-w", "-g", "-fPIC", "-shared", "-fno-eliminate-unused-debug-types", "-o", made.path_, source};
  for (const std::string& directory_of_headers : wanted.include_directories)
    line.push_back("-I" + directory_of_headers);

  // The second round compiles what the first one left.
  std::string output;
  for (int round = 0; round < 2; ++round) {
    if (!write()) return error(stage::use, source, "a temporary file could not be written");
    const ran_command ran = run_command(line);
    if (!ran.started)
      return error(stage::use, wanted.compiler, "the C compiler could not be started").system(ran.output);
    if (ran.status == 0) return made;
    output = ran.output;
    const std::set<std::size_t> wrong = error_lines(output, source);
    std::vector<std::string> rest;
    for (std::size_t i = 0; i < declared.size(); ++i) {
      if (!wrong.contains(head_lines + i + 1)) rest.push_back(declared[i]);
    }
    const bool header_is_wrong = wrong.empty() || *wrong.begin() <= head_lines;
    if (header_is_wrong || rest.size() == declared.size()) break;
    declared = std::move(rest);
  }
  return error(stage::use, library, "the C compiler does not accept the header")
      .system(output.substr(0, output.find('\n', std::min<std::size_t>(output.size(), 600))))
      .advise("name the directory of what it includes by -I, or the header that comes before it by another --header");
}

header_library::header_library(header_library&& other) noexcept
    : directory_(std::exchange(other.directory_, {})), path_(std::move(other.path_)) {}

header_library::~header_library() {
  std::error_code ignored;
  if (!directory_.empty()) std::filesystem::remove_all(directory_, ignored);
}

void header_library::rename(types::description& types, const library& of) const {
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
