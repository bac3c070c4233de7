// SPDX-License-Identifier: MIT
// session: what an expression's checks need beside the expression.
#include "session.hpp"

#include <algorithm>

#include "expression/parser.hpp"

namespace autoreload::command {

namespace {

// Columns that a text takes: letters of UTF-8, each one wide.
std::size_t columns(std::string_view text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

}  // namespace

checked_expression session::check(std::string text) {
  checked_expression made{std::move(text), nullptr, {}};
  made.tree = parse(made.text, [this](std::string_view name) { return types_.has_typedef(name); });
  made.shown = command::check(*made.tree, types_, earlier_);
  for (const shown_object& s : made.shown) earlier_.push_back(s.type);
  return made;
}

type_index session::type_of(const std::string& text) {
  const node_pointer tree = parse(text, [this](std::string_view name) { return types_.has_typedef(name); });
  static_cast<void>(command::check(*tree, types_, earlier_));
  return tree->type;
}

std::vector<std::string> names_in(std::string_view text) {
  std::vector<std::string> names;
  try {
    for (const token& t : tokens_of(text)) {
      if (t.kind == token_kind::name) names.push_back(t.text);
    }
  } catch (const complaint&) {  // said when it is checked
  }
  return names;
}

std::string describe(const complaint& wrong, const std::string& expression) {
  std::string text = wrong.text;
  std::string shown = expression;
  std::ranges::replace_if(
      shown, [](unsigned char c) { return c < 0x20 || c == 0x7f; }, ' ');
  const std::size_t begin = std::min(wrong.where.begin, shown.size());
  const std::size_t end = std::clamp(wrong.where.end, begin, shown.size());
  text += "\n  " + shown + "\n  " + std::string(columns(std::string_view(shown).substr(0, begin)), ' ') + "^";
  const std::size_t marked = columns(std::string_view(shown).substr(begin, end - begin));
  if (marked > 1) text += std::string(marked - 1, '~');
  for (const std::string& note : wrong.notes) text += "\n  " + note;
  return text;
}

}  // namespace autoreload::command
