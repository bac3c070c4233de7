// SPDX-License-Identifier: MIT
// header_constants: the compiler itself works them out, each in a declaration of its own that may fail.
#include "header_constants.hpp"

#include <algorithm>
#include <set>
#include <sstream>

namespace autoreload::command {

namespace {

constexpr std::string_view value_tag = "autoreload_value_of_";
constexpr std::string_view typed_name = "autoreload_constant_";

// What could begin something that does not end on its line is left out.
bool may_be_constant(std::string_view text) {
  constexpr std::string_view letters =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_ ()+-*/%<>|&^~!'.";
  int open = 0;
  for (const char c : text) {
    open += c == '(' ? 1 : c == ')' ? -1 : 0;
    if (open < 0 || letters.find(c) == std::string_view::npos) return false;
  }
  return !text.empty() && open == 0 && std::ranges::count(text, '\'') % 2 == 0;
}

}  // namespace

std::vector<std::string> macros_in(const std::string& preprocessed) {
  std::vector<std::string> names;
  std::istringstream text(preprocessed);
  for (std::string line; std::getline(text, line);) {
    std::istringstream words(line);
    std::string word, name, value;
    if (!(words >> word >> name) || word != "#define" || !std::getline(words, value)) continue;
    // Names that begin with an underscore are the compiler's and the C library's.
    if (name[0] != '_' && may_be_constant(value)) names.push_back(name);
  }
  return names;
}

std::string constant_line_tag(const std::string& name) { return std::string(value_tag) + name; }

std::string constant_line(const std::string& name) {
  return "enum " + constant_line_tag(name) + " { " + constant_line_tag(name) + "_ = (" + name + ") }; __typeof__((" +
         name + ")) " + std::string(typed_name) + name + ";";
}

void take_constants(types::description& types) {
  std::set<std::string, std::less<>> known;
  for (const types::type& t : types.types) {
    if (t.kind != types::kind::enumeration || t.name.starts_with(value_tag)) continue;
    for (const types::member& m : t.members) known.insert(m.name);
  }
  for (types::type& t : types.types) {
    if (t.kind != types::kind::enumeration || !t.name.starts_with(value_tag) || t.members.empty()) continue;
    const std::string name = t.name.substr(value_tag.size());
    const types::symbol* const typed = types.find(std::string(typed_name) + name);
    t.name = constant_tag;
    if (typed == nullptr || known.contains(name)) {
      t.members.clear();
      continue;
    }
    t.members.front().name = name;
    t.target = typed->type;
  }
}

}  // namespace autoreload::command
