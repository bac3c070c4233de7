// SPDX-License-Identifier: MIT
// typing: walks the tree from the leaves up; each function is a kind of node.
#include "typing.hpp"

#include <algorithm>
#include <type_traits>

#include "conversion.hpp"
#include "initializer.hpp"
#include "nearest.hpp"
#include "operators.hpp"
#include "requirements.hpp"

namespace autoreload::command {

namespace {

using types::kind;

basic letter_type(char prefix) {
  if (prefix == 'L') return std::is_signed_v<wchar_t> ? basic::integer : basic::unsigned_integer;
  if (prefix == 'U') return basic::unsigned_integer;
  return prefix == 'u' ? basic::unsigned_short : basic::character;
}

class checker : private requirements {
 public:
  checker(type_table& types, std::span<const type_index> earlier) : requirements(types), earlier_(earlier) {}

  void check(node& n) {
    switch (n.kind) {
      case node_kind::whole: n.type = types_.of(type_of_whole(n.literal)); break;
      case node_kind::real:
        n.type = types_.of(n.literal.is_float     ? basic::float_number
                           : n.literal.longs != 0 ? basic::long_double
                                                  : basic::double_number);
        break;
      case node_kind::character:
        n.type = types_.of(n.literal.prefix == '\0' ? basic::integer : letter_type(n.literal.prefix));
        break;
      case node_kind::string:
        n.type = types_.array_of(types_.of(letter_type(n.literal.prefix)), n.text.size() / n.literal.unit + 1);
        n.object = true;
        break;
      case node_kind::name: check_name(n); break;
      case node_kind::earlier: check_earlier(n); break;
      case node_kind::unary: check_unary(n); break;
      case node_kind::step_after: check_step(n); break;
      case node_kind::binary: check_binary(n); break;
      case node_kind::assign: check_assign(n); break;
      case node_kind::conditional: check_conditional(n); break;
      case node_kind::call: check_call(n); break;
      case node_kind::member: check_member(n); break;
      case node_kind::index: check_index(n); break;
      case node_kind::cast: check_cast(n); break;
      case node_kind::literal:
        n.type = check_literal(*n.parts[0], types_.resolve(*n.named), n.named->where);
        n.object = true;
        break;
      case node_kind::braces: complain(n.where, "write the type before it: (struct name){…}");
      case node_kind::size_of:
      case node_kind::align_of: check_size(n); break;
      case node_kind::fresh: check_fresh(n); break;
    }
  }

  std::vector<shown_object> fresh() { return std::move(fresh_); }

 private:
  void check_name(node& n) {
    if (const types::symbol* const s = types_.symbol(n.text)) {
      if (types_.kind_of(s->type) == kind::unknown) {
        complain(n.where, "the type of " + quoted(n.text) + " could not be read from the debug information");
      }
      n.type = s->type;
      n.role = s->function ? name_role::function : name_role::variable;
      n.object = !s->function;
    } else if (const auto constant = types_.enumerator(n.text)) {
      n.role = name_role::constant;
      n.constant = constant->first;
      n.type = constant->second;
    } else if (n.text == "NULL" || n.text == "true" || n.text == "false") {
      n.role = name_role::constant;
      n.constant = n.text == "true" ? 1 : 0;
      n.type = n.text == "NULL" ? types_.pointer_to(types_.of(basic::nothing)) : types_.of(basic::boolean);
    } else {
      complaint wrong{"the library has no " + quoted(n.text) + " that its debug information describes", n.where};
      std::vector<std::string> names;
      for (const types::symbol& other : types_.all().symbols) names.push_back(other.name);
      const std::string nearest = nearest_name(n.text, names);
      if (!nearest.empty()) wrong.notes.push_back("did you mean " + quoted(nearest) + "?");
      throw wrong;
    }
  }

  void check_earlier(node& n) {
    if (n.literal.whole == 0 || n.literal.whole > earlier_.size()) {
      complain(n.where, earlier_.empty() ? "there is no result yet"
                                         : "there are only " + std::to_string(earlier_.size()) + " results so far");
    }
    n.type = earlier_[n.literal.whole - 1];
    n.object = true;
  }

  void check_unary(node& n) {
    node& part = *n.parts[0];
    if (n.text == "++" || n.text == "--") return check_step(n);
    check(part);
    if (n.text == "&") {
      require(part.object || types_.kind_of(part.type) == kind::function, n, "only an object has an address");
      require(!part.bit_field, n, "a bit-field has no address");
      n.type = types_.pointer_to(part.type);
    } else if (n.text == "*") {
      require(types_.is_pointer(value(part)), n, "only a pointer leads to something, and this is a " + spelled(part));
      n.type = types_.target(value(part));
      const bool function = types_.kind_of(n.type) == kind::function;
      if (!function) require_sized_target(part);
      n.object = !function;
    } else if (n.text == "!") {
      require_scalar(part, "!");
      n.type = types_.of(basic::integer);
    } else {
      n.text == "~" ? require_integer(part, "~") : require_number(part, n.text.c_str());
      n.type = promoted(value(part), types_);
    }
  }

  void check_step(node& n) {
    node& part = *n.parts[0];
    check(part);
    require_modifiable(part);
    if (types_.is_pointer(part.type)) {
      require_sized_target(part);
    } else {
      require_number(part, n.text.c_str());
    }
    n.type = part.type;
  }

  void check_binary(node& n) {
    node& left = *n.parts[0];
    node& right = *n.parts[1];
    check(left);
    check(right);
    apply_operator(n, n.text, types_);
  }

  void check_assign(node& n) {
    node& left = *n.parts[0];
    check(left);
    check(*n.parts[1]);
    require_modifiable(left);
    if (n.text == "=") {
      if (const auto wrong = refuses(*n.parts[1], left.type, types_)) complain(n.parts[1]->where, *wrong);
    } else {
      apply_operator(n, n.text.substr(0, n.text.size() - 1), types_);
    }
    n.type = left.type;
  }

  void check_conditional(node& n) {
    for (node_pointer& part : n.parts) check(*part);
    choose_common(n, types_);
  }

  void check_call(node& n) {
    node& callee = *n.parts[0];
    check(callee);
    type_index function = value(callee);
    require(types_.is_pointer(function) && types_.kind_of(types_.target(function)) == kind::function, callee,
            "this is no function, but a " + spelled(callee));
    function = types_.target(function);
    // A copy: checking the arguments makes types, which may move the others.
    const types::type of = types_.bare_type(function);
    const std::string name = callee.kind == node_kind::name ? callee.text : "(*function)";
    const std::string prototype = types_.prototype(function, name);
    const std::size_t given = n.parts.size() - 1;
    const std::size_t wanted = of.members.size();
    if (given < wanted || (given > wanted && !of.variadic)) {
      const place where = given > wanted ? join(n.parts[wanted + 1]->where, n.parts.back()->where)
                                         : place{n.where.end - 1, n.where.end};
      throw complaint{quoted(name) + " takes " + (of.variadic ? "at least " : "") + std::to_string(wanted) +
                          (wanted == 1 ? " argument, not " : " arguments, not ") + std::to_string(given),
                      where,
                      {prototype}};
    }
    for (std::size_t i = 0; i < given; ++i) {
      node& argument = *n.parts[i + 1];
      check(argument);
      const bool named = i < wanted;
      std::optional<std::string> wrong;
      if (named) {
        wrong = refuses(argument, of.members[i].type, types_);
      } else if (!types_.is_scalar(value(argument)) && !types_.is_struct(value(argument))) {
        wrong = "this can't be passed";
      }
      if (wrong) {
        throw complaint{
            "argument " + std::to_string(i + 1) + " of " + quoted(name) + ": " + *wrong, argument.where, {prototype}};
      }
      if (named && argument.kind == node_kind::fresh && fresh_.back().name.empty()) {
        fresh_.back().name = of.members[i].name;
      }
    }
    const bool returned = types_.is_void(of.target) || types_.size_of(of.target).has_value();
    require(returned, n, "the size of its result is not known");
    n.type = of.target;
  }

  void check_member(node& n) {
    node& part = *n.parts[0];
    check(part);
    type_index inside = part.type;
    if (n.through_pointer) {
      require(types_.is_pointer(value(part)), part, "this is no pointer, but a " + spelled(part) + ": write . for ->");
      inside = types_.target(value(part));
    }
    if (!types_.is_struct(inside)) {
      const bool pointer = types_.is_pointer(inside) && types_.is_struct(types_.target(inside));
      require(false, part,
              "a " + quoted(types_.spell(inside)) + " has no fields" + (pointer ? ": write -> for ." : ""));
    }
    const std::optional<found_field> field = types_.field(inside, n.text);
    if (!field) throw no_such_field(n.literal.where, inside, n.text, types_);
    n.type = types_.is_constant(inside) ? types_.constant(field->type) : field->type;
    n.bit_field = field->bit_size != 0;
    n.slots = {slot{field->type, field->bit_offset, field->bit_size}};
    n.object = n.through_pointer || part.object;
  }

  void check_index(node& n) {
    node& base = *n.parts[0];
    node& position = *n.parts[1];
    check(base);
    check(position);
    require(types_.is_pointer(value(base)), base, "this is no array or pointer, but a " + spelled(base));
    require_sized_target(base);
    require_integer(position, "an index");
    n.type = types_.target(value(base));
    n.object = true;
  }

  void check_cast(node& n) {
    check(*n.parts[0]);
    const node& part = *n.parts[0];
    n.type = types_.resolve(*n.named);
    if (types_.is_void(n.type)) return;
    const type_index from = value(part);
    const bool scalars = types_.is_scalar(n.type) && types_.is_scalar(from);
    const bool floating_pointer = (types_.is_pointer(n.type) && !types_.is_pointer(from) && !types_.is_integer(from)) ||
                                  (types_.is_pointer(from) && !types_.is_pointer(n.type) && !types_.is_integer(n.type));
    const bool readable =
        (types_.is_pointer(n.type) || types_.which(n.type)) && (types_.is_pointer(from) || types_.which(from));
    require(scalars && !floating_pointer && readable, n,
            "a " + spelled(part) + " can't be cast to " + quoted(types_.spell(n.type)));
  }

  // The type of an object that is made from {…}: an array without a length gets it from there.
  type_index check_literal(node& list, type_index type, place where) {
    if (types_.kind_of(type) == kind::array && !types_.bare_type(type).complete) {
      const type_index element = types_.target(type);
      type = types_.array_of(element, initializer_length(list, element, types_));
    }
    require_complete(type, where);
    place_parts(list, type, types_);
    check_parts(list, type);
    return type;
  }

  void check_parts(node& list, type_index type) {
    list.type = type;
    for (std::size_t i = 0; i < list.parts.size(); ++i) {
      node& part = *list.parts[i];
      const type_index to = list.slots[i].type;
      if (part.kind == node_kind::braces) {
        place_parts(part, to, types_);
        check_parts(part, to);
        continue;
      }
      check(part);
      if (part.kind == node_kind::string && fills_array(part, to, types_)) continue;
      if (const auto wrong = refuses(part, to, types_)) complain(part.where, *wrong);
    }
  }

  void require_complete(type_index type, place where) {
    const std::optional<std::uint64_t> size = types_.size_of(type);
    if (!size) complain(where, "the size of " + quoted(types_.spell(type)) + " is not known");
    if (*size > largest_object) complain(where, "this is too large");
  }

  void check_size(node& n) {
    type_index measured = 0;
    if (n.named) {
      measured = types_.resolve(*n.named);
    } else {
      const std::size_t made = fresh_.size();
      check(*n.parts[0]);
      measured = n.parts[0]->type;
      require(!n.parts[0]->bit_field, *n.parts[0], "a bit-field has no size in bytes");
      fresh_.resize(made);  // sizeof runs nothing
    }
    const std::optional<std::uint64_t> size = types_.size_of(measured);
    if (!size) complain(n.where, "the size of " + quoted(types_.spell(measured)) + " is not known");
    n.constant = static_cast<std::int64_t>(n.kind == node_kind::size_of ? *size : types_.alignment_of(measured));
    n.type = types_.of(basic::unsigned_long);
  }

  void check_fresh(node& n) {
    const type_index type = types_.resolve(*n.named);
    require_complete(type, n.named->where);
    n.type = types_.pointer_to(type);
    fresh_.push_back({type, {}});
  }

  static constexpr std::uint64_t largest_object = std::uint64_t{1} << 28;  // bytes

  std::span<const type_index> earlier_;
  std::vector<shown_object> fresh_;
};

}  // namespace

type_index value_type(const node& of, type_table& types) {
  const type_index type = of.type;
  switch (types.kind_of(type)) {
    case kind::array: {
      const type_index element = types.target(type);
      return types.pointer_to(types.is_constant(type) && !types.is_constant(element) ? types.constant(element)
                                                                                     : element);
    }
    case kind::function: return types.pointer_to(type);
    default: return type;
  }
}

std::vector<shown_object> check(node& root, type_table& types, std::span<const type_index> earlier) {
  checker one(types, earlier);
  one.check(root);
  std::vector<shown_object> shown;
  if (!types.is_void(root.type)) {
    // An array is shown whole; a function as its address.
    const bool function = types.kind_of(root.type) == kind::function;
    shown.push_back({function ? types.pointer_to(root.type) : root.type, {}});
  }
  std::ranges::move(one.fresh(), std::back_inserter(shown));
  return shown;
}

}  // namespace autoreload::command
