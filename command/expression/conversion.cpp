// SPDX-License-Identifier: MIT
// conversion: C's rules, with an error where a compiler only warns: a warning would come after the call.
#include "conversion.hpp"

#include <algorithm>
#include <limits>

#include "typing.hpp"

namespace autoreload::command {

namespace {

bool is_float(basic b) { return b == basic::float_number || b == basic::double_number || b == basic::long_double; }
bool is_complex(basic b) { return b >= basic::complex_float; }
basic real_part(basic b) { return is_complex(b) ? static_cast<basic>(static_cast<int>(b) - 3) : b; }
basic complex_of(basic b) { return static_cast<basic>(static_cast<int>(b) + 3); }

bool is_unsigned(basic b) {
  switch (b) {
    case basic::boolean:
    case basic::unsigned_character:
    case basic::unsigned_short:
    case basic::unsigned_integer:
    case basic::unsigned_long:
    case basic::unsigned_long_long:
    case basic::unsigned_int128: return true;
    default: return false;
  }
}

int rank(basic b) { return b < basic::integer ? 0 : (static_cast<int>(b) - static_cast<int>(basic::integer)) / 2; }

// Whether one pointed-to type may stand for the other: also where only the sign differs, as in `unsigned char *`.
bool alike(type_index a, type_index b, const type_table& types) {
  if (types.same(a, b)) return true;
  return types.kind_of(a) == types::kind::base && types.kind_of(b) == types::kind::base && types.is_integer(a) &&
         types.is_integer(b) && types.size_of(a) == types.size_of(b);
}

std::string words(type_index from, type_index to, const type_table& types) {
  return "\"" + types.spell(from) + "\" does not become \"" + types.spell(to) + "\"";
}

std::optional<std::string> refuses_pointer(const node& value, type_index from, type_index to, type_table& types) {
  const type_index want = types.target(to);
  type_index have = types.target(from);
  // &int[4] is meant as room for four.
  if (value.kind == node_kind::fresh && types.kind_of(have) == types::kind::array &&
      types.kind_of(want) != types::kind::array) {
    have = types.target(have);
  }
  if (!types.is_void(want) && !types.is_void(have) && !alike(have, want, types)) return words(from, to, types);
  if (types.is_constant(have) && !types.is_constant(want) && types.kind_of(want) != types::kind::function) {
    return words(from, to, types) + ": it would lose its const; a cast says that this is meant";
  }
  return std::nullopt;
}

}  // namespace

basic type_of_whole(const token& t) {
  const auto fits = [&](std::uint64_t most) { return t.whole <= most; };
  if (t.longs == 0 && !t.is_unsigned && fits(std::numeric_limits<int>::max())) return basic::integer;
  if (t.longs == 0 && (t.is_unsigned || !t.decimal) && fits(std::numeric_limits<unsigned>::max())) {
    return basic::unsigned_integer;
  }
  const bool twice = t.longs == 2;
  if (!t.is_unsigned && fits(std::numeric_limits<long>::max())) return twice ? basic::long_long : basic::long_integer;
  return twice ? basic::unsigned_long_long : basic::unsigned_long;
}

type_index promoted(type_index type, type_table& types) {
  const std::optional<basic> which = types.which(type);
  if (!which) return types.bare(type);
  return types.of(*which < basic::integer ? basic::integer : *which);
}

type_index promoted_argument(type_index type, type_table& types) {
  const std::optional<basic> which = types.which(type);
  if (which == basic::float_number) return types.of(basic::double_number);
  return which && types.is_arithmetic(type) ? promoted(type, types) : type;
}

type_index common_type(type_index first, type_index second, type_table& types) {
  const basic a = types.which(first).value_or(basic::integer);
  const basic b = types.which(second).value_or(basic::integer);
  if (is_complex(a) || is_complex(b) || is_float(a) || is_float(b)) {
    const bool complex = is_complex(a) || is_complex(b);
    const basic wider = std::max(is_float(real_part(a)) ? real_part(a) : basic::float_number,
                                 is_float(real_part(b)) ? real_part(b) : basic::float_number);
    return types.of(complex ? complex_of(wider) : wider);
  }
  const basic x = std::max(a, basic::integer);
  const basic y = std::max(b, basic::integer);
  if (rank(x) == rank(y)) return types.of(is_unsigned(x) ? x : y);
  const basic high = rank(x) > rank(y) ? x : y;
  const basic low = rank(x) > rank(y) ? y : x;
  if (is_unsigned(high) || !is_unsigned(low)) return types.of(high);
  if (types.size_of(types.of(high)) > types.size_of(types.of(low))) return types.of(high);
  return types.of(static_cast<basic>(static_cast<int>(high) + 1));  // its unsigned form
}

bool is_null(const node& value) {
  if (value.kind == node_kind::whole) return value.literal.whole == 0;
  if (value.kind == node_kind::name) return value.role == name_role::constant && value.text == "NULL";
  return false;
}

std::optional<std::string> refuses(const node& value, type_index to, type_table& types) {
  const type_index from = value_type(value, types);
  if (types.kind_of(to) == types::kind::unknown || types.kind_of(from) == types::kind::unknown) {
    return "its type could not be read from the debug information";
  }
  if (types.is_void(from)) return "this has no value";
  if (types.is_arithmetic(from) && types.is_arithmetic(to)) {
    if (!types.which(from) || !types.which(to)) return words(from, to, types);
    return std::nullopt;
  }
  if (types.is_pointer(to)) {
    if (is_null(value)) return std::nullopt;
    if (types.is_pointer(from)) return refuses_pointer(value, from, to, types);
    return words(from, to, types);
  }
  if (types.which(to) == basic::boolean && types.is_pointer(from)) return std::nullopt;
  if (types.is_struct(to) && types.is_struct(from) && types.same(from, to)) return std::nullopt;
  return words(from, to, types);
}

}  // namespace autoreload::command
