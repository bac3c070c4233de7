// SPDX-License-Identifier: MIT
// type_table: several units of a library describe one type several times, so types are compared and not their numbers.
#include "type_table.hpp"

#include <algorithm>
#include <array>
#include <limits>

#include "constant_tag.hpp"
#include "types/spell.hpp"

namespace autoreload::command {

namespace {

using types::encoding;
using types::kind;

struct basic_facts {
  std::string_view name;
  types::encoding encoding;
  std::uint64_t size;
};
constexpr encoding plain_char =
    std::numeric_limits<char>::is_signed ? encoding::signed_integer : encoding::unsigned_integer;

// In the order of `basic`.
constexpr std::array<basic_facts, 21> basic_types{{
    {"void", encoding::other, 0},
    {"_Bool", encoding::boolean, sizeof(bool)},
    {"char", plain_char, 1},
    {"signed char", encoding::signed_integer, 1},
    {"unsigned char", encoding::unsigned_integer, 1},
    {"short", encoding::signed_integer, sizeof(short)},
    {"unsigned short", encoding::unsigned_integer, sizeof(short)},
    {"int", encoding::signed_integer, sizeof(int)},
    {"unsigned int", encoding::unsigned_integer, sizeof(int)},
    {"long", encoding::signed_integer, sizeof(long)},
    {"unsigned long", encoding::unsigned_integer, sizeof(long)},
    {"long long", encoding::signed_integer, sizeof(long long)},
    {"unsigned long long", encoding::unsigned_integer, sizeof(long long)},
    {"__int128", encoding::signed_integer, 16},
    {"unsigned __int128", encoding::unsigned_integer, 16},
    {"float", encoding::floating, sizeof(float)},
    {"double", encoding::floating, sizeof(double)},
    {"long double", encoding::floating, sizeof(long double)},
    {"float _Complex", encoding::complex, 2 * sizeof(float)},
    {"double _Complex", encoding::complex, 2 * sizeof(double)},
    {"long double _Complex", encoding::complex, 2 * sizeof(long double)},
}};

}  // namespace

type_table::type_table(types::description library) : all_(std::move(library)) {
  basics_.push_back(0);
  for (std::size_t i = 1; i < basic_types.size(); ++i) {
    const basic_facts& b = basic_types[i];
    basics_.push_back(add({.kind = kind::base, .encoding = b.encoding, .name = std::string(b.name), .size = b.size}));
  }
  for (type_index i = 0; i < all_.types.size(); ++i) take_names(i);
}

type_index type_table::add(types::type made) {
  all_.types.push_back(std::move(made));
  return static_cast<type_index>(all_.types.size() - 1);
}

void type_table::take_names(type_index index) {
  const types::type& t = at(index);
  if (t.kind == kind::alias) typedefs_.try_emplace(t.name, index);
  if (types::has_tag(t.kind) && !t.name.empty() && t.name != constant_tag) {
    const auto [it, fresh] = tags_.try_emplace({t.kind, t.name}, index);
    if (!fresh && t.complete && !at(it->second).complete) it->second = index;
  }
  if (t.kind == kind::enumeration) {
    // A header's constant is no enumeration's: it has the type that the header gives it.
    const type_index of = t.name == constant_tag ? t.target : index;
    for (const types::member& m : t.members) enumerators_.try_emplace(m.name, m.value, of);
  }
}

type_index type_table::bare(type_index index) const {
  const type_index found = types::strip(all_, index).index;
  const types::type& t = at(found);
  if (t.complete || !types::has_tag(t.kind) || t.name.empty()) return found;
  const auto definition = tags_.find({t.kind, t.name});
  return definition == tags_.end() ? found : definition->second;
}

std::optional<basic> type_table::which(type_index index) const {
  const types::type* t = &bare_type(index);
  if (t->kind == kind::enumeration) {
    const types::type& under = bare_type(t->target);
    if (under.kind == kind::base && under.encoding != encoding::other) {
      t = &under;
    } else {  // an enumeration whose integer is not told: unsigned, unless a constant is negative
      const bool negative = std::ranges::any_of(t->members, [](const types::member& m) { return m.value < 0; });
      return t->size > sizeof(int) ? (negative ? basic::long_integer : basic::unsigned_long)
                                   : (negative ? basic::integer : basic::unsigned_integer);
    }
  }
  if (t->kind == kind::nothing) return basic::nothing;
  if (t->kind != kind::base) return std::nullopt;
  for (std::size_t i = 1; i < basic_types.size(); ++i) {
    const basic_facts& b = basic_types[i];
    if (t->name == b.name && t->size == b.size && t->encoding == b.encoding) return static_cast<basic>(i);
  }
  // By its bits: char16_t, or a spelling of another compiler's. Not a floating type of another format.
  for (std::size_t i = 1; i < basic_types.size(); ++i) {
    const basic_facts& b = basic_types[i];
    const bool number = t->encoding == encoding::signed_integer || t->encoding == encoding::unsigned_integer;
    if (number && b.name != "char" && t->size == b.size && t->encoding == b.encoding) return static_cast<basic>(i);
  }
  return std::nullopt;
}

type_index type_table::pointer_to(type_index target) {
  const auto [it, fresh] = pointers_.try_emplace(target, 0);
  if (fresh) it->second = add({.kind = kind::pointer, .name = "*", .size = sizeof(void*), .target = target});
  return it->second;
}

type_index type_table::constant(type_index target) {
  const auto [it, fresh] = constants_.try_emplace(target, 0);
  if (fresh) it->second = add({.kind = kind::qualified, .name = "const", .target = target});
  return it->second;
}

type_index type_table::array_of(type_index element, std::optional<std::uint64_t> length) {
  constexpr std::uint64_t unknown = ~std::uint64_t{0};
  const auto [it, fresh] = arrays_.try_emplace({element, length.value_or(unknown)}, 0);
  if (fresh) {
    it->second =
        add({.kind = kind::array, .complete = length.has_value(), .size = length.value_or(0), .target = element});
  }
  return it->second;
}

type_index type_table::resolve(const declared_type& named) {
  type_index made = 0;
  if (named.tag != kind::unknown) {
    const auto it = tags_.find({named.tag, named.name});
    if (it == tags_.end()) {
      complain(named.where, "the library has no " + types::spell_tag({.kind = named.tag, .name = named.name}));
    }
    made = it->second;
  } else if (const auto it = typedefs_.find(named.name); it != typedefs_.end()) {
    made = it->second;
  } else {
    const auto* const found = std::ranges::find(basic_types, named.name, &basic_facts::name);
    if (found == basic_types.end()) complain(named.where, "\"" + named.name + "\" is no type of C's or the library's");
    made = basics_[static_cast<std::size_t>(found - basic_types.begin())];
  }
  if (named.constant) made = constant(made);
  for (const type_step& step : named.steps) {
    const kind now = kind_of(made);
    switch (step.is) {
      case type_step::kind::pointer: made = pointer_to(made); break;
      case type_step::kind::constant: made = constant(made); break;
      case type_step::kind::array:
        if (now == kind::function || !size_of(made)) complain(named.where, "there can be no array of this");
        made = array_of(made, step.length);
        break;
      case type_step::kind::function: {
        if (now == kind::function || now == kind::array) complain(named.where, "a function can't return this");
        types::type function{.kind = kind::function, .variadic = step.variadic, .target = made};
        for (const declared_type& p : step.parameters) {
          const type_index type = resolve(p);
          const types::type& bare = bare_type(type);
          function.members.push_back({.type = bare.kind == kind::array      ? pointer_to(bare.target)
                                              : bare.kind == kind::function ? pointer_to(type)
                                                                            : type});
        }
        made = add(std::move(function));
        break;
      }
    }
  }
  return made;
}

std::optional<std::pair<std::int64_t, type_index>> type_table::enumerator(std::string_view name) const {
  const auto it = enumerators_.find(name);
  return it == enumerators_.end() ? std::nullopt : std::optional(it->second);
}

std::vector<std::string> type_table::typedef_names() const {
  std::vector<std::string> list;
  for (const auto& [name, type] : typedefs_) list.push_back(name);
  return list;
}

std::vector<std::string> type_table::tag_names(types::kind of) const {
  std::vector<std::string> list;
  for (const auto& [tag, type] : tags_) {
    if (tag.first == of && !tag.second.empty()) list.push_back(tag.second);
  }
  return list;
}

std::vector<std::string> type_table::enumerator_names() const {
  std::vector<std::string> list;
  for (const auto& [name, value] : enumerators_) list.push_back(name);
  return list;
}

std::optional<std::uint64_t> type_table::size_of(type_index index) const {
  std::uint64_t factor = 1;
  for (int i = 0; i < types::deepest; ++i) {
    const types::type& t = bare_type(index);
    switch (t.kind) {
      case kind::array:
        if (!t.complete || __builtin_mul_overflow(factor, t.size, &factor)) return std::nullopt;
        index = t.target;
        continue;
      case kind::vector: {
        std::uint64_t size = 0;
        const std::optional<std::uint64_t> element = size_of(t.target);
        if (!element || __builtin_mul_overflow(factor * t.size, *element, &size)) return std::nullopt;
        return size;
      }
      case kind::base:
      case kind::structure:
      case kind::unite:
      case kind::enumeration:
      case kind::pointer: {
        std::uint64_t size = t.kind == kind::pointer ? sizeof(void*) : t.size;
        if (!t.complete || __builtin_mul_overflow(size, factor, &size)) return std::nullopt;
        return size;
      }
      default: return std::nullopt;
    }
  }
  return std::nullopt;
}

std::optional<found_field> type_table::field(type_index structure, std::string_view name) const {
  const type_index inside = bare(structure);
  for (const types::field& f : types::fields_of(all_, inside)) {
    if (f.name == name && !name.empty()) return found_field{f.type, f.offset, f.bits};
  }
  return std::nullopt;
}

std::string type_table::spell(type_index index, std::string_view name) const { return types::spell(all_, index, name); }

std::string type_table::prototype(type_index function, std::string_view name) const {
  const types::type& t = bare_type(function);
  std::string text(name);
  text += "(";
  for (std::size_t i = 0; i < t.members.size(); ++i) {
    text += (i == 0 ? "" : ", ") + spell(t.members[i].type, t.members[i].name);
  }
  if (t.variadic) text += t.members.empty() ? "..." : ", ...";
  if (t.members.empty() && !t.variadic) text += "void";
  return spell(t.target, text + ")");
}

bool type_table::is_integer(type_index index) const {
  const types::type& t = bare_type(index);
  return t.kind == kind::enumeration || (t.kind == kind::base && t.encoding != encoding::other &&
                                         t.encoding != encoding::floating && t.encoding != encoding::complex);
}

bool type_table::is_arithmetic(type_index index) const {
  const types::type& t = bare_type(index);
  return is_integer(index) ||
         (t.kind == kind::base && (t.encoding == encoding::floating || t.encoding == encoding::complex));
}

bool type_table::is_struct(type_index index) const {
  const kind k = kind_of(index);
  return k == kind::structure || k == kind::unite;
}

bool type_table::same(type_index first, type_index second, int depth) const {
  const type_index ia = bare(first);
  const type_index ib = bare(second);
  if (ia == ib || depth > types::deepest) return true;
  const types::type& a = at(ia);
  const types::type& b = at(ib);
  if (a.kind == kind::unknown || b.kind == kind::unknown) return true;
  const bool integers = is_integer(ia) && is_integer(ib);
  if (integers && (a.kind == kind::enumeration) != (b.kind == kind::enumeration)) return which(ia) == which(ib);
  if (a.kind != b.kind) return false;
  switch (a.kind) {
    case kind::base: return a.encoding == b.encoding && a.size == b.size && which(ia) == which(ib);
    case kind::pointer: return same(a.target, b.target, depth + 1);
    case kind::array: return (!a.complete || !b.complete || a.size == b.size) && same(a.target, b.target, depth + 1);
    case kind::vector: return a.size == b.size && same(a.target, b.target, depth + 1);
    case kind::structure:
    case kind::unite:
    case kind::enumeration:
      if (!a.name.empty() || !b.name.empty()) return a.name == b.name;
      return a.size == b.size && a.members.size() == b.members.size() &&
             std::ranges::equal(a.members, b.members, {}, &types::member::name, &types::member::name);
    case kind::function:
      return a.variadic == b.variadic && a.members.size() == b.members.size() && same(a.target, b.target, depth + 1) &&
             std::ranges::equal(a.members, b.members, [&](const types::member& x, const types::member& y) {
               return same(x.type, y.type, depth + 1);
             });
    default: return true;
  }
}

}  // namespace autoreload::command
