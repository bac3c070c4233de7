// SPDX-License-Identifier: MIT
// type_parser: specifiers in any order, then the declarator around a name that is not there.
#include "type_parser.hpp"

#include <utility>

#include "type_words.hpp"

namespace autoreload::command {

namespace {

class type_parser {
 public:
  type_parser(token_cursor& at, const knows_typedef& is_typedef) : at_(at), is_typedef_(is_typedef) {}

  declared_type type_name() {
    const token_cursor::nesting level(at_);
    if (!starts_type(at_, 0, is_typedef_)) complain(at_.peek().where, "a type's name is missing");
    declared_type made{.where = at_.peek().where};
    std::vector<std::string> words;
    while (starts_type(at_, 0, is_typedef_)) {
      const bool complete = !made.name.empty() || !words.empty();
      if (complete && !is_type_word(at_.peek().text)) break;  // a typedef's name is whole
      const token word = at_.next();
      made.where.end = word.where.end;
      if (is_qualifier(word.text)) {
        made.constant |= word.text == "const";
      } else if (word.text == "struct" || word.text == "union" || word.text == "enum") {
        if (complete) complain(word.where, "two types stand side by side");
        made.tag = word.text == "struct"  ? types::kind::structure
                   : word.text == "union" ? types::kind::unite
                                          : types::kind::enumeration;
        const token tag = at_.next();
        if (tag.kind != token_kind::name) complain(tag.where, "a name must follow \"" + word.text + "\"");
        made.name = tag.text;
        made.where.end = tag.where.end;
      } else if (is_type_word(word.text)) {
        if (!made.name.empty()) complain(word.where, "two types stand side by side");
        words.push_back(word.text);
      } else {
        made.name = word.text;
      }
    }
    if (!words.empty()) made.name = usual_words(words, made.where);
    if (made.name.empty()) complain(made.where, "this is no whole type");
    made.steps = declarator();
    made.where.end = at_.end_of_last();
    return made;
  }

 private:
  // What is around the name is read from inside out, and applied from outside in: pointers, then the arrays and
  // parameters on the right from the last to the first, then what stands in parentheses.
  std::vector<type_step> declarator() {
    const token_cursor::nesting level(at_);
    std::vector<type_step> steps;
    while (at_.sees("*")) {
      at_.next();
      steps.push_back({type_step::kind::pointer});
      for (; at_.peek().kind == token_kind::name && is_qualifier(at_.peek().text); at_.next()) {
        if (at_.peek().text == "const") steps.push_back({type_step::kind::constant});
      }
    }
    std::vector<type_step> inner;
    if (at_.sees("(") && (at_.sees("*", 1) || at_.sees("(", 1) || at_.sees("[", 1))) {
      at_.next();
      inner = declarator();
      at_.expect(")", "the declarator");
    }
    std::vector<type_step> right;
    while (at_.sees("[") || at_.sees("(")) right.push_back(at_.next().text == "[" ? array_step() : function_step());
    for (auto it = right.rbegin(); it != right.rend(); ++it) steps.push_back(std::move(*it));
    for (type_step& step : inner) steps.push_back(std::move(step));
    return steps;
  }

  type_step array_step() {
    type_step made{type_step::kind::array};
    if (at_.take("]")) return made;
    const token length = at_.next();
    if (length.kind != token_kind::whole) complain(length.where, "an array's length must be a plain number here");
    if (length.whole > std::uint64_t{1} << 30) complain(length.where, "this is too long");
    made.length = length.whole;
    at_.expect("]", "the length");
    return made;
  }

  type_step function_step() {
    type_step made{type_step::kind::function};
    while (!at_.sees(")")) {
      if (!made.parameters.empty()) at_.expect(",", "the parameter");
      if (at_.take("...")) {
        made.variadic = true;
        break;
      }
      made.parameters.push_back(type_name());
      if (at_.peek().kind == token_kind::name) at_.next();  // the parameter's name
    }
    at_.expect(")", "the parameters");
    const bool nothing =
        made.parameters.size() == 1 && made.parameters[0].name == "void" && made.parameters[0].steps.empty();
    if (nothing) made.parameters.clear();
    return made;
  }

  token_cursor& at_;
  const knows_typedef& is_typedef_;
};

}  // namespace

bool starts_type(const token_cursor& at, std::size_t ahead, const knows_typedef& is_typedef) {
  const token& t = at.peek(ahead);
  return t.kind == token_kind::name && (is_type_word(t.text) || is_typedef(t.text));
}

declared_type read_type_name(token_cursor& at, const knows_typedef& is_typedef) {
  return type_parser(at, is_typedef).type_name();
}

}  // namespace autoreload::command
