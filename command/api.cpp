// SPDX-License-Identifier: MIT
// api: a header that a C++ host includes as it is.
#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>

#include "api_types.hpp"
#include "expression/nearest.hpp"
#include "library.hpp"
#include "library_types.hpp"
#include "options.hpp"
#include "terminal.hpp"

namespace autoreload::command {

namespace {

bool is_letter(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; }

// `libsqlite3.so.0` is Sqlite3.
std::string name_of(const std::string& path) {
  std::string file = std::filesystem::path(path).filename().string();
  if (file.starts_with("lib")) file.erase(0, 3);
  file = file.substr(0, file.find(".so"));
  std::string name;
  bool start = true;
  for (const char c : file) {
    if (is_letter(c)) name.push_back(start ? static_cast<char>(std::toupper(static_cast<unsigned char>(c))) : c);
    start = !is_letter(c);
  }
  if (name.empty() || std::isdigit(static_cast<unsigned char>(name[0])) != 0) name.insert(0, "Library");
  return name;
}

// What the user named, or all; a wrong name is an error.
result<std::vector<std::string>> chosen(const library& opened, const std::vector<std::string>& named) {
  std::vector<std::string> all;
  for (const exported_name& e : opened.exports()) all.push_back(e.name);
  if (named.empty()) return all;
  for (const std::string& name : named) {
    if (opened.find(name) != nullptr) continue;
    error wrong(stage::use, opened.path(), "it does not export \"" + name + "\"");
    if (const std::string nearest = nearest_name(name, all); !nearest.empty())
      wrong.advise("did you mean \"" + nearest + "\"?");
    return wrong;
  }
  return named;
}

// From a header: names and types come from there by themselves.
std::string from_header(const api_options& options, const std::string& name, const std::vector<std::string>& symbols,
                        const types::description& types, std::size_t& left_out) {
  std::string text;
  for (const std::string& header : options.library.headers) {
    const bool file = std::filesystem::exists(header);
    text += file ? "#include \"" + header + "\"\n" : "#include <" + header + ">\n";
  }
  text += "\n#include <autoreload/autoreload.hpp>\n\n";
  text += "#pragma GCC diagnostic push\n#pragma GCC diagnostic ignored \"-Wdeprecated-declarations\"\n";
  text += "#pragma GCC diagnostic ignored \"-Wignored-attributes\"\n";
  text += "struct " + name + " {\n";
  for (const std::string& symbol : symbols) {
    if (types.find(symbol) == nullptr) {
      ++left_out;
      continue;
    }
    text += "  autoreload::required<::" + symbol + "> " + symbol + ";\n";
  }
  return text + "};\n#pragma GCC diagnostic pop\n";
}

}  // namespace

int run_api(const api_options& options) {
  const result<library> opened = library::open(options.library.path);
  if (!opened) return say_error(opened.error()), failed;
  const result<std::vector<std::string>> symbols = chosen(*opened, options.functions);
  if (!symbols) return say_error(symbols.error()), failed;
  const types_wanted wanted{.names = *symbols,
                            .headers = options.library.headers,
                            .include_directories = options.library.include_directories,
                            .compiler = options.library.compiler};
  const result<types::description> types = [&] {
    const progress working("reading the types of " + opened->path());
    return read_types(*opened, wanted);
  }();
  if (!types) return say_error(types.error()), failed;

  const std::string name = options.name.empty() ? name_of(opened->path()) + "Api" : options.name;
  std::string text = "// Made by `autoreload api`: the functions and variables of " +
                     std::filesystem::path(opened->path()).filename().string() +
                     ", for a host in C++.\n#pragma once\n\n";
  std::size_t left_out = 0;
  text += options.library.headers.empty() ? api_from_types(*types, *symbols, name, left_out)
                                          : from_header(options, name, *symbols, *types, left_out);
  if (left_out == symbols->size()) {
    say_error(opened->path() + ": none of its symbols has a type that is known");
    return failed;
  }
  if (left_out != 0) {
    say_note(std::to_string(left_out) + " of " + std::to_string(symbols->size()) + " exported symbols are left out: " +
             (options.library.headers.empty() ? "the debug information does not describe them, or C++ can't"
                                              : "the header does not declare them"));
  }
  if (options.output.empty()) {
    write_output(text);
    return good;
  }
  std::ofstream file(options.output, std::ios::binary | std::ios::trunc);
  file << text;
  if (!file.flush()) return say_error(options.output + ": the file can't be written"), failed;
  return good;
}

}  // namespace autoreload::command
