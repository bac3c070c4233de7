// SPDX-License-Identifier: MIT
// prompt_command: types are read from the table, lines from the file as it is now.
#include "prompt_command.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <optional>

#include "check_report.hpp"
#include "comparison.hpp"
#include "crash/source_place.hpp"
#include "elf/sections.hpp"
#include "library.hpp"
#include "library_types.hpp"
#include "types/shape.hpp"

namespace autoreload::command {

namespace {

[[noreturn]] void refuse(const std::string& text) { throw complaint{text, {}, {}}; }

std::string layout_text(type_index type, const type_table& types) {
  const types::type& t = types.bare_type(type);
  std::string text = types.spell(type);
  if (types.bare(type) != type) text += " is " + types.spell(types.bare(type));
  const bool listed = types.is_struct(type) || t.kind == types::kind::enumeration;
  if (listed && t.complete) {
    text += " {";
    for (const types::member& m : t.members) {
      if (t.kind == types::kind::enumeration) {
        text += "\n  " + m.name + " = " + std::to_string(m.value) + ",";
      } else {
        text += "\n  " + types.spell(m.type, m.name);
        if (m.bit_size != 0) text += " : " + std::to_string(m.bit_size);
        text += ";  // at " + std::to_string(m.bit_offset / 8);
        if (m.bit_offset % 8 != 0 || m.bit_size != 0) text += ", bit " + std::to_string(m.bit_offset % 8);
      }
    }
    text += "\n}";
  }
  if (const auto size = types.size_of(type)) {
    text += ", " + std::to_string(*size) + (*size == 1 ? " byte" : " bytes");
  }
  return text + "\n";
}

struct address_range {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

std::optional<address_range> function_in(const library& file, const std::string& name) {
  const elf_sections sections(file.bytes());
  for (const char* const table_name : {".symtab", ".dynsym"}) {
    Elf64_Shdr table;
    Elf64_Shdr strings;
    if (!sections.find(table_name, table) || !sections.at(table.sh_link, strings)) continue;
    const file_bytes symbols = sections.content(table);
    const file_bytes names = sections.content(strings);
    Elf64_Sym symbol;
    for (std::uint64_t i = 1; read_record(symbols, i, symbol); ++i) {
      if (ELF64_ST_TYPE(symbol.st_info) != STT_FUNC || symbol.st_shndx == SHN_UNDEF) continue;
      if (string_at(names, symbol.st_name) == name)
        return address_range{symbol.st_value, symbol.st_value + symbol.st_size};
    }
  }
  return std::nullopt;
}

}  // namespace

std::string help_text() {
  return "An expression is C: add(1, 2)   area((struct shape){.r = 2})   divide(7, 2, &int)   counter = 5   $1 + $2\n"
         "  :type EXPRESSION or TYPE  its type, or what it is made of\n"
         "  :list [TEXT]              the functions and variables, those with TEXT in their names\n"
         "  :source FUNCTION          its lines\n"
         "  :time EXPRESSION          evaluates it 11 times and says how long it took\n"
         "  :diff                     what this build changed for callers\n"
         "  :build  :hold  :back  :fresh\n"
         "                            build now; let newer builds wait, or not any more; run the build before; start "
         "anew\n"
         "  :quit                     or Ctrl-D. Ctrl-C ends a call that hangs. Tab completes, Ctrl-R searches.\n";
}

std::string type_text(const std::string& text, const type_table& types, session& current) {
  if (text.empty()) refuse(":type wants an expression or a type");
  const types::symbol* const symbol = types.symbol(text);
  if (symbol != nullptr && symbol->function) return types.prototype(symbol->type, text) + "\n";
  // A type's name is none of an expression: what a pointer to it leads to has that type.
  try {
    return layout_text(current.type_of("*(" + text + "*)0"), types);
  } catch (const complaint& wrong) {
    for (const char* const tag : {"struct ", "union ", "enum "}) {
      if (text.rfind(tag, 0) == 0) refuse(wrong.text);
    }  // else it is an expression
  }
  const type_index type = current.type_of(text);
  return types.spell(type) + "\n";
}

std::string list_text(const std::string& part, const type_table& types) {
  std::vector<const types::symbol*> shown;
  for (const types::symbol& s : types.all().symbols) {
    const bool asked = s.name[0] != '\'' || part.find('\'') != std::string::npos;  // all have such a name, too
    if (asked && s.name.find(part) != std::string::npos) shown.push_back(&s);
  }
  if (shown.empty()) refuse(part.empty() ? "it exports nothing" : "nothing has \"" + part + "\" in its name");
  std::sort(shown.begin(), shown.end(), [](const auto* a, const auto* b) { return a->name < b->name; });
  std::string text;
  for (const types::symbol* s : shown) {
    text += (s->function ? types.prototype(s->type, s->name) : types.spell(s->type, s->name)) + "\n";
  }
  return text;
}

std::string source_text(const std::string& function, const std::string& path) {
  const result<library> opened = library::open(path);
  if (!opened) refuse(opened.error().reason());
  const auto where = function_in(*opened, function);
  if (!where)
    refuse(function.empty() ? ":source wants a function" : "the library has no function \"" + function + "\"");
  std::vector<std::byte> separate;
  std::span<const std::byte> debug = opened->bytes();
  if (const std::string other = debug_file_of(*opened); !other.empty() && other != opened->path()) {
    separate = bytes_of(other);
    debug = separate;
  }
  const line_place first = find_line(debug, where->begin);
  const line_place last = find_line(debug, where->end - 1);
  if (first.file.empty() || first.line == 0) refuse("no line of \"" + function + "\" is in the debug information");
  const std::string file = (std::filesystem::path(first.root) / first.directory / first.file).lexically_normal();
  std::ifstream in(file);
  if (!in) refuse(file + " can't be read");
  std::string text = file + ":" + std::to_string(first.line) + "\n";
  constexpr unsigned most = 400;
  const unsigned end = std::clamp(last.file == first.file ? last.line : 0, first.line, first.line + most);
  std::string line;
  for (unsigned number = 1; number <= end && std::getline(in, line); ++number) {
    if (number >= first.line) text += line + "\n";
  }
  return text;
}

std::string difference_text(const std::string& before, const std::string& now, const library_options& options) {
  if (before.empty()) refuse("there is no build before this one");
  const result<library> old = library::open(before);
  const result<library> fresh = library::open(now);
  if (!old) refuse(old.error().reason());
  if (!fresh) refuse(fresh.error().reason());
  const result<types::description> types = read_types(*fresh, all_of(options));
  if (!types) refuse(types.error().reason());
  check_report found;
  if (const result<void> done = compare_builds(*old, *fresh, *types, options, found); !done)
    refuse(done.error().reason());
  std::string text;
  for (const std::string& line : found.differences) text += "difference: " + line + "\n";
  for (const std::string& line : found.harmless) text += "harmless: " + line + "\n";
  return text.empty() ? "nothing that a caller notices, but the code\n" : text;
}

}  // namespace autoreload::command
