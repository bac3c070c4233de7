// SPDX-License-Identifier: MIT
// parser: recursive descent; binary operators by their precedence.
#include "parser.hpp"

#include <array>
#include <utility>

#include "type_words.hpp"

namespace autoreload::command {

namespace {

constexpr int deepest_nesting = 200;

// From the weakest to the strongest.
constexpr std::array<std::pair<std::string_view, int>, 18> binary_signs{{{"||", 1}, {"&&", 2}, {"|", 3},  {"^", 4},
                                                                         {"&", 5},  {"==", 6}, {"!=", 6}, {"<", 7},
                                                                         {">", 7},  {"<=", 7}, {">=", 7}, {"<<", 8},
                                                                         {">>", 8}, {"+", 9},  {"-", 9},  {"*", 10},
                                                                         {"/", 10}, {"%", 10}}};
constexpr std::array<std::string_view, 11> assign_signs{"=",  "*=",  "/=",  "%=", "+=", "-=",
                                                        "<<=", ">>=", "&=", "^=", "|="};

int strength(const token& t) {
  if (t.kind != token_kind::sign) return 0;
  for (const auto& [sign, value] : binary_signs) {
    if (t.text == sign) return value;
  }
  return 0;
}

class parser {
 public:
  parser(std::string_view text, const knows_typedef& is_typedef) : tokens_(tokens_of(text)), is_typedef_(is_typedef) {}

  node_pointer run() {
    if (peek().kind == token_kind::end) complain(peek().where, "an expression is missing");
    node_pointer made = expression();
    take(";");
    end();
    return made;
  }
  declared_type run_type() {
    declared_type made = type_name();
    end();
    return made;
  }

 private:
  // Each level of the grammar that calls itself counts.
  class nesting {
   public:
    explicit nesting(parser& of) : of_(of) {
      if (++of_.depth_ > deepest_nesting) complain(of_.peek().where, "this is nested too deeply");
    }
    ~nesting() { --of_.depth_; }
    nesting(const nesting&) = delete;
    nesting& operator=(const nesting&) = delete;

   private:
    parser& of_;
  };

  const token& peek(std::size_t ahead = 0) const { return tokens_[std::min(at_ + ahead, tokens_.size() - 1)]; }
  bool sees(std::string_view sign, std::size_t ahead = 0) const {
    return peek(ahead).kind == token_kind::sign && peek(ahead).text == sign;
  }
  bool sees_word(std::string_view word) const { return peek().kind == token_kind::name && peek().text == word; }
  token next() {
    token taken = peek();
    if (at_ + 1 < tokens_.size()) ++at_;
    return taken;
  }
  bool take(std::string_view sign) {
    if (!sees(sign)) return false;
    next();
    return true;
  }
  place expect(std::string_view sign, const char* after) {
    if (!sees(sign)) complain(peek().where, "\"" + std::string(sign) + "\" is missing after " + after);
    return next().where;
  }
  void end() {
    if (peek().kind != token_kind::end) complain(peek().where, "nothing should follow here");
  }

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
    if (sees("(") && starts_type(1)) return cast_or_literal();
    if (first.kind == token_kind::name && (first.text == "sizeof" || first.text == "_Alignof")) return size_of();
    if (sees("&") && starts_type(1)) {
      next();
      node_pointer made = make(node_kind::fresh, first.where);
      made->named = type_name();
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

  node_pointer cast_or_literal() {
    const place begin = next().where;
    declared_type to = type_name();
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
    if (sees("(") && starts_type(1)) {
      next();
      made->named = type_name();
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
      if (++links_ > 10'000) complain(made->where, "this is too long");
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

  // --- types -------------------------------------------------------------------------------------

  bool starts_type(std::size_t ahead) const {
    const token& t = peek(ahead);
    return t.kind == token_kind::name && (is_type_word(t.text) || is_typedef_(t.text));
  }

  declared_type type_name() {
    const nesting level(*this);
    if (!starts_type(0)) complain(peek().where, "a type's name is missing");
    declared_type made{.where = peek().where};
    std::vector<std::string> words;
    while (starts_type(0)) {
      const bool complete = !made.name.empty() || !words.empty();
      if (complete && !is_type_word(peek().text)) break;  // a typedef's name is whole
      const token word = next();
      made.where.end = word.where.end;
      if (is_qualifier(word.text)) {
        made.constant |= word.text == "const";
      } else if (word.text == "struct" || word.text == "union" || word.text == "enum") {
        if (complete) complain(word.where, "two types stand side by side");
        made.tag = word.text == "struct"  ? abi::kind::structure
                   : word.text == "union" ? abi::kind::unite
                                          : abi::kind::enumeration;
        const token tag = next();
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
    made.where.end = tokens_[at_ == 0 ? 0 : at_ - 1].where.end;
    return made;
  }

  // What is around the name is read from inside out, and applied from outside in: pointers, then the arrays and
  // parameters on the right from the last to the first, then what stands in parentheses.
  std::vector<type_step> declarator() {
    const nesting level(*this);
    std::vector<type_step> steps;
    while (sees("*")) {
      next();
      steps.push_back({type_step::kind::pointer});
      for (; peek().kind == token_kind::name && is_qualifier(peek().text); next()) {
        if (peek().text == "const") steps.push_back({type_step::kind::constant});
      }
    }
    std::vector<type_step> inner;
    if (sees("(") && (sees("*", 1) || sees("(", 1) || sees("[", 1))) {
      next();
      inner = declarator();
      expect(")", "the declarator");
    }
    std::vector<type_step> right;
    while (sees("[") || sees("(")) right.push_back(next().text == "[" ? array_step() : function_step());
    for (auto it = right.rbegin(); it != right.rend(); ++it) steps.push_back(std::move(*it));
    for (type_step& step : inner) steps.push_back(std::move(step));
    return steps;
  }

  type_step array_step() {
    type_step made{type_step::kind::array};
    if (take("]")) return made;
    const token length = next();
    if (length.kind != token_kind::whole) complain(length.where, "an array's length must be a plain number here");
    if (length.whole > std::uint64_t{1} << 30) complain(length.where, "this is too long");
    made.length = length.whole;
    expect("]", "the length");
    return made;
  }

  type_step function_step() {
    type_step made{type_step::kind::function};
    while (!sees(")")) {
      if (!made.parameters.empty()) expect(",", "the parameter");
      if (take("...")) {
        made.variadic = true;
        break;
      }
      made.parameters.push_back(type_name());
      if (peek().kind == token_kind::name) next();  // the parameter's name
    }
    expect(")", "the parameters");
    const bool nothing =
        made.parameters.size() == 1 && made.parameters[0].name == "void" && made.parameters[0].steps.empty();
    if (nothing) made.parameters.clear();
    return made;
  }

  std::vector<token> tokens_;
  const knows_typedef& is_typedef_;
  std::size_t at_ = 0;
  int depth_ = 0;
  int links_ = 0;
};

}  // namespace

node_pointer parse(std::string_view text, const knows_typedef& is_typedef) { return parser(text, is_typedef).run(); }

declared_type parse_type(std::string_view text, const knows_typedef& is_typedef) {
  return parser(text, is_typedef).run_type();
}

}  // namespace autoreload::command
