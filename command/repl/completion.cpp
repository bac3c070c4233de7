// SPDX-License-Identifier: MIT
// completion: looks back from the cursor. A field needs the type of what is before its dot, which is checked as any
// expression is.
#include "completion.hpp"

#include <algorithm>
#include <optional>

#include "command/scoped_names.hpp"
#include "types/shape.hpp"

namespace autoreload::command {

namespace {

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '$';
}

std::string_view without_blanks_at_end(std::string_view text) {
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

std::string_view last_word(std::string_view text) {
  std::size_t begin = text.size();
  while (begin != 0 && is_letter(text[begin - 1])) --begin;
  return text.substr(begin);
}

// Where the bracket opens that the text ends with; npos when it doesn't.
std::size_t opening_of(std::string_view text) {
  int depth = 0;
  for (std::size_t i = text.size(); i-- != 0;) {
    const char c = text[i];
    if (c == ')' || c == ']' || c == '}') ++depth;
    if (c == '(' || c == '[' || c == '{') --depth;
    if (depth == 0) return i;
  }
  return std::string_view::npos;
}

// The expression that a `.` or `->` after the text would apply to: `a.b(1)[2]`, `(*p)`, `$1`.
std::string_view operand_at_end(std::string_view text) {
  std::string_view rest = without_blanks_at_end(text);
  const char* const end = rest.data() + rest.size();
  for (;;) {
    while (!rest.empty() && (rest.back() == ')' || rest.back() == ']')) {
      const std::size_t open = opening_of(rest);
      if (open == std::string_view::npos) return {};
      rest = rest.substr(0, open);
    }
    rest.remove_suffix(last_word(rest).size());
    if (rest.ends_with("->")) {
      rest.remove_suffix(2);
    } else if (rest.ends_with(".")) {
      rest.remove_suffix(1);
    } else {
      return {rest.data() + rest.size(), static_cast<std::size_t>(end - (rest.data() + rest.size()))};
    }
    rest = without_blanks_at_end(rest);
  }
}

// The type before the brace that is still open: of `area((struct shape){.r = 1, ` it is `struct shape`.
std::string_view literal_at_end(std::string_view text) {
  int depth = 0;
  for (std::size_t i = text.size(); i-- != 0;) {
    const char c = text[i];
    if (c == ')' || c == ']' || c == '}') ++depth;
    if (c == '(' || c == '[' || c == '{') --depth;
    if (depth >= 0) continue;
    const std::string_view before = without_blanks_at_end(text.substr(0, i));
    if (c != '{' || !before.ends_with(")")) return {};
    const std::size_t open = opening_of(before);
    return open == std::string_view::npos ? std::string_view{} : before.substr(open + 1, before.size() - open - 2);
  }
  return {};
}

void add_fields(const type_table& types, type_index structure, std::vector<std::string>& into) {
  for (const types::field& field : types::fields_of(types.all(), types.bare(structure))) {
    if (!field.name.empty()) into.emplace_back(field.name);
  }
}

std::optional<type_index> type_of(const std::string& text, session& current) {
  try {
    return current.type_of(text);
  } catch (const complaint&) {
    return std::nullopt;
  }
}

std::vector<std::string> fields_after(std::string_view before, bool arrow, const type_table& types, session& current) {
  std::vector<std::string> list;
  const std::string_view operand = operand_at_end(before);
  if (!operand.empty()) {
    if (const auto type = type_of(std::string(operand), current)) {
      add_fields(types, arrow && types.is_pointer(*type) ? types.target(*type) : *type, list);
    }
  } else if (const std::string_view literal = literal_at_end(before); !arrow && !literal.empty()) {
    // The type's name as an expression with that type: a pointer to it that is followed.
    if (const auto type = type_of("*(" + std::string(literal) + "*)0", current)) add_fields(types, *type, list);
  }
  return list;
}

std::vector<std::string> names(const type_table& types) {
  std::vector<std::string> list{"NULL", "true", "false", "sizeof", "struct", "union", "enum"};
  for (const types::symbol& s : types.all().symbols) {
    if (!is_scoped(s.name)) list.push_back(s.function ? s.name + "(" : s.name);
  }
  for (auto more : {types.typedef_names(), types.enumerator_names()}) {
    list.insert(list.end(), more.begin(), more.end());
  }
  return list;
}

std::vector<std::string> choices_at(std::string_view before, const type_table& types, session& current) {
  const std::string_view close = without_blanks_at_end(before);
  if (close.ends_with("->")) return fields_after(close.substr(0, close.size() - 2), true, types, current);
  if (close.ends_with(".")) return fields_after(close.substr(0, close.size() - 1), false, types, current);
  const std::string_view word = last_word(close);
  if (word == "struct") return types.tag_names(types::kind::structure);
  if (word == "union") return types.tag_names(types::kind::unite);
  if (word == "enum") return types.tag_names(types::kind::enumeration);
  return names(types);
}

}  // namespace

const std::vector<std::string>& prompt_commands() {
  static const std::vector<std::string> list{":back", ":build", ":diff",   ":fresh", ":help", ":hold",
                                             ":list", ":quit",  ":source", ":time",  ":type"};
  return list;
}

completion complete(std::string_view line, const type_table& types, session& current) {
  completion made;
  std::vector<std::string> all;
  std::string_view start = last_word(line);
  if (line.starts_with(":") && line.find(' ') == std::string_view::npos) {
    start = line;
    all = prompt_commands();
  } else {
    std::string_view before = line.substr(0, line.size() - start.size());
    if (before.starts_with(":")) before = before.substr(before.find(' '));
    all = choices_at(before, types, current);
  }
  made.begin = line.size() - start.size();
  for (std::string& choice : all) {
    if (choice.starts_with(start)) made.choices.push_back(std::move(choice));
  }
  std::sort(made.choices.begin(), made.choices.end());
  made.choices.erase(std::unique(made.choices.begin(), made.choices.end()), made.choices.end());
  return made;
}

std::string common_start(const std::vector<std::string>& choices) {
  if (choices.empty()) return {};
  std::string start = choices.front();
  for (const std::string& choice : choices) {
    const auto different = std::mismatch(start.begin(), start.end(), choice.begin(), choice.end());
    start.erase(different.first, start.end());
  }
  return start;
}

}  // namespace autoreload::command
