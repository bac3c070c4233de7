// SPDX-License-Identifier: MIT
// parser: recursive descent; binary operators by their precedence.
#include "parser.hpp"

#include <array>
#include <utility>

#include "token_cursor.hpp"
#include "type_words.hpp"

namespace autoreload::command {

namespace {

// From the weakest to the strongest.
constexpr std::array<std::pair<std::string_view, int>, 18> binary_signs{{{"||", 1},
                                                                         {"&&", 2},
                                                                         {"|", 3},
                                                                         {"^", 4},
                                                                         {"&", 5},
                                                                         {"==", 6},
                                                                         {"!=", 6},
                                                                         {"<", 7},
                                                                         {">", 7},
                                                                         {"<=", 7},
                                                                         {">=", 7},
                                                                         {"<<", 8},
                                                                         {">>", 8},
                                                                         {"+", 9},
                                                                         {"-", 9},
                                                                         {"*", 10},
                                                                         {"/", 10},
                                                                         {"%", 10}}};
constexpr std::array<std::string_view, 11> assign_signs{
    "=", "*=", "/=", "%=", "+=", "-=", "<<=", ">>=", "&=", "^=", "|="};

int strength(const token& t) {
  if (t.kind != token_kind::sign) return 0;
  for (const auto& [sign, value] : binary_signs) {
    if (t.text == sign) return value;
  }
  return 0;
}

class parser : private token_cursor {
 public:
  parser(std::string_view text, const knows_typedef& is_typedef)
      : token_cursor(tokens_of(text)), is_typedef_(is_typedef) {}

  node_pointer run() {
    if (peek().kind == token_kind::end) complain(peek().where, "an expression is missing");
    node_pointer made = expression();
    take(";");
    expect_end();
    return made;
  }
  declared_type run_type() {
    declared_type made = read_type_name(*this, is_typedef_);
    expect_end();
    return made;
  }

 private:
  static node_pointer make(node_kind kind, place where, std::string text = {}) {
    auto made = std::make_unique<node>();
    made->kind = kind;
    made->where = where;
    made->text = std::move(text);
    return made;
  }
  template <class... Parts>
  static node_pointer make_of(node_kind kind, place where, std::string text, Parts... parts) {
    node_pointer made = make(kind, where, std::move(text));
    (made->parts.push_back(std::move(parts)), ...);
    return made;
  }

  // --- expressions -------------------------------------------------------------------------------

  node_pointer expression() {
    const nesting level(*this);
    node_pointer left = conditional();
    for (const std::string_view sign : assign_signs) {
      if (!sees(sign)) continue;
      next();
      node_pointer right = expression();
      const place where = join(left->where, right->where);
      return make_of(node_kind::assign, where, std::string(sign), std::move(left), std::move(right));
    }
    return left;
  }

  node_pointer conditional() {
    node_pointer condition = binary(1);
    if (!take("?")) return condition;
    node_pointer yes = expression();
    expect(":", "the first choice");
    node_pointer no = expression();
    const place where = join(condition->where, no->where);
    return make_of(node_kind::conditional, where, "?", std::move(condition), std::move(yes), std::move(no));
  }

  node_pointer binary(int weakest) {
    node_pointer left = unary();
    for (int found = strength(peek()); found >= weakest && found != 0; found = strength(peek())) {
      const std::string sign = next().text;
      count_link();
      const nesting level(*this);
      node_pointer right = binary(found + 1);
      const place where = join(left->where, right->where);
      left = make_of(node_kind::binary, where, sign, std::move(left), std::move(right));
    }
    return left;
  }

  node_pointer unary() {
    const nesting level(*this);
    const token first = peek();
    if (sees("(") && starts_type(*this, 1, is_typedef_)) return cast_or_literal();
    if (first.kind == token_kind::name && (first.text == "sizeof" || first.text == "_Alignof")) return size_of();
    if (sees("&") && starts_type(*this, 1, is_typedef_)) {
      next();
      node_pointer made = make(node_kind::fresh, first.where);
      made->named = read_type_name(*this, is_typedef_);
      made->where = join(first.where, made->named->where);
      return made;
    }
    for (const std::string_view sign : {"++", "--", "-", "+", "!", "~", "*", "&"}) {
      if (!take(sign)) continue;
      node_pointer part = unary();
      const place where = join(first.where, part->where);
      return make_of(node_kind::unary, where, std::string(sign), std::move(part));
    }
    return postfix(primary());
  }

  // Each makes the tree deeper, which is walked by recursion.
  void count_link() {
    if (++links_ > 1000) complain(peek().where, "this is too long");
  }

  node_pointer cast_or_literal() {
    const place begin = next().where;
    declared_type to = read_type_name(*this, is_typedef_);
    expect(")", "the type");
    if (sees("{")) {
      node_pointer list = braces();
      const place where = join(begin, list->where);
      node_pointer made = make_of(node_kind::literal, where, {}, std::move(list));
      made->named = std::move(to);
      return postfix(std::move(made));
    }
    node_pointer part = unary();
    const place where = join(begin, part->where);
    node_pointer made = make_of(node_kind::cast, where, {}, std::move(part));
    made->named = std::move(to);
    return made;
  }

  node_pointer size_of() {
    const token word = next();
    node_pointer made = make(word.text == "sizeof" ? node_kind::size_of : node_kind::align_of, word.where);
    if (sees("(") && starts_type(*this, 1, is_typedef_)) {
      next();
      made->named = read_type_name(*this, is_typedef_);
      made->where = join(word.where, expect(")", "the type"));
      // `sizeof (type){…}` is the size of an object; nobody writes it.
      if (sees("{")) complain(peek().where, "put the object that is measured into parentheses");
    } else if (made->kind == node_kind::align_of) {
      complain(peek().where, "_Alignof takes a type in parentheses");
    } else {
      made->parts.push_back(unary());
      made->where = join(word.where, made->parts[0]->where);
    }
    return made;
  }

  node_pointer primary() {
    const token first = next();
    node_pointer made = make(node_kind::whole, first.where, first.text);
    made->literal = first;
    switch (first.kind) {
      case token_kind::whole: break;
      case token_kind::real: made->kind = node_kind::real; break;
      case token_kind::character: made->kind = node_kind::character; break;
      case token_kind::string: made->kind = node_kind::string; break;
      case token_kind::earlier: made->kind = node_kind::earlier; break;
      case token_kind::name:
        if (is_type_word(first.text) || is_typedef_(first.text)) complain(first.where, "a type can't stand here");
        made->kind = node_kind::name;
        break;
      case token_kind::end: complain(first.where, "something is missing at the end");
      case token_kind::sign:
        if (first.text == "{") complain(first.where, "write the type before it: (struct name){…}");
        if (first.text != "(") complain(first.where, "\"" + first.text + "\" can't stand here");
        made = expression();
        made->where = join(first.where, expect(")", "the expression"));
        break;
    }
    return made;
  }

  node_pointer postfix(node_pointer made) {
    for (;;) {
      const place begin = made->where;
      if (take("(")) {
        node_pointer call = make_of(node_kind::call, begin, {}, std::move(made));
        while (!sees(")")) {
          if (call->parts.size() > 1) expect(",", "the argument");
          call->parts.push_back(expression());
        }
        call->where = join(begin, next().where);
        made = std::move(call);
      } else if (take("[")) {
        node_pointer position = expression();
        const place where = join(begin, expect("]", "the index"));
        made = make_of(node_kind::index, where, {}, std::move(made), std::move(position));
      } else if (sees(".") || sees("->")) {
        const bool through_pointer = next().text == "->";
        const token name = next();
        if (name.kind != token_kind::name) complain(name.where, "a field's name is missing");
        made = make_of(node_kind::member, join(begin, name.where), name.text, std::move(made));
        made->literal = name;
        made->through_pointer = through_pointer;
      } else if (sees("++") || sees("--")) {
        const token sign = next();
        made = make_of(node_kind::step_after, join(begin, sign.where), sign.text, std::move(made));
      } else {
        return made;
      }
      count_link();
    }
  }

  node_pointer braces() {
    const nesting level(*this);
    node_pointer list = make(node_kind::braces, next().where);
    while (!sees("}")) {
      if (!list->parts.empty()) expect(",", "the value");
      if (sees("}")) break;
      std::vector<designator>& path = list->designators.emplace_back();
      while (sees(".") || sees("[")) path.push_back(read_designator());
      if (!path.empty()) expect("=", "the field that is set");
      list->parts.push_back(sees("{") ? braces() : expression());
    }
    list->where = join(list->where, next().where);
    return list;
  }

  designator read_designator() {
    const token sign = next();
    const token what = next();
    if (sign.text == ".") {
      if (what.kind != token_kind::name) complain(what.where, "a field's name is missing");
      return {what.where, what.text};
    }
    if (what.kind != token_kind::whole) complain(what.where, "an index must be a plain number here");
    expect("]", "the index");
    return {what.where, {}, what.whole};
  }

  const knows_typedef& is_typedef_;
  int links_ = 0;
};

}  // namespace

node_pointer parse(std::string_view text, const knows_typedef& is_typedef) { return parser(text, is_typedef).run(); }

declared_type parse_type(std::string_view text, const knows_typedef& is_typedef) {
  return parser(text, is_typedef).run_type();
}

}  // namespace autoreload::command
