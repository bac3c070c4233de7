// SPDX-License-Identifier: MIT
// operators: C's rules for each sign; pointers first, then numbers.
#include "operators.hpp"

#include "conversion.hpp"
#include "requirements.hpp"

namespace autoreload::command {

namespace {

class operators : private requirements {
 public:
  explicit operators(type_table& types) : requirements(types) {}

  // Sets the type and what both sides become, for an operator with two parts that are checked.
  void apply(node& n, const std::string& sign) {
    const node& left = *n.parts[0];
    const node& right = *n.parts[1];
    const type_index a = value(left);
    const type_index b = value(right);
    const bool pointer_left = types_.is_pointer(a);
    const bool pointer_right = types_.is_pointer(b);
    const char* const name = sign.c_str();
    n.type = types_.of(basic::integer);
    if (sign == "&&" || sign == "||") {
      require_scalar(left, name);
      require_scalar(right, name);
      return;
    }
    const bool compares = sign == "==" || sign == "!=" || sign == "<" || sign == ">" || sign == "<=" || sign == ">=";
    if (compares && (pointer_left || pointer_right)) {
      const bool fits = (pointer_left && pointer_right) || is_null(left) || is_null(right);
      require(fits, n, "a " + spelled(left) + " and a " + spelled(right) + " can't be compared");
      n.common = types_.of(basic::unsigned_long);
      return;
    }
    if (sign == "-" && pointer_left && pointer_right) {
      require(types_.same(types_.target(a), types_.target(b)), n, "they point to different types");
      require_sized_target(left);
      n.type = types_.of(basic::long_integer);
      return;
    }
    if ((sign == "+" || sign == "-") && pointer_left) {
      require_sized_target(left);
      require_integer(right, name);
      n.type = a;
      return;
    }
    if (sign == "+" && pointer_right) {
      require_sized_target(right);
      require_integer(left, name);
      n.type = b;
      return;
    }
    if (sign == "<<" || sign == ">>") {
      require_integer(left, name);
      require_integer(right, name);
      n.type = n.common = promoted(a, types_);
      return;
    }
    const bool whole = sign == "%" || sign == "&" || sign == "|" || sign == "^";
    for (const node* side : {&left, &right}) whole ? require_integer(*side, name) : require_number(*side, name);
    n.common = common_type(a, b, types_);
    if (!compares) n.type = n.common;
  }

  void choose(node& n) {
    require_scalar(*n.parts[0], "?:");
    const node& yes = *n.parts[1];
    const node& no = *n.parts[2];
    const type_index a = value(yes);
    const type_index b = value(no);
    if (types_.is_arithmetic(a) && types_.is_arithmetic(b)) {
      n.type = common_type(a, b, types_);
    } else if (types_.is_pointer(a) && (is_null(no) || (types_.is_pointer(b) && !refuses(no, a, types_)))) {
      n.type = a;
    } else if (types_.is_pointer(b) && (is_null(yes) || (types_.is_pointer(a) && !refuses(yes, b, types_)))) {
      n.type = b;
    } else {
      require(types_.same(a, b), n, "the two choices are a " + spelled(yes) + " and a " + spelled(no));
      n.type = a;
    }
    n.common = n.type;
  }
};

}  // namespace

void apply_operator(node& n, const std::string& sign, type_table& types) { operators(types).apply(n, sign); }

void choose_common(node& n, type_table& types) { operators(types).choose(n); }

}  // namespace autoreload::command
