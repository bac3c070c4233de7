// SPDX-License-Identifier: MIT
// base_type: translates the names and encodings of DWARF's base types.
#include "types/helper/base_type.hpp"

#include <dwarf.h>

#include <cstdint>
#include <sstream>
#include <string>
#include <string_view>

#include "types/helper/entry.hpp"

namespace autoreload::types {

namespace {

// Both compilers' words for one type: `long unsigned int` (g++) is `unsigned long` (clang).
std::string canonical_number(std::string_view spelling) {
  std::istringstream words{std::string(spelling)};
  int longs = 0;
  std::string sign;
  std::string size;
  for (std::string word; words >> word;) {
    if (word == "long") {
      ++longs;
    } else if (word == "unsigned" || word == "signed") {
      sign = word;
    } else if (word == "short" || word == "char") {
      size = word;
    } else if (word != "int") {
      return std::string(spelling);  // __int128, double …
    }
  }
  for (; longs != 0; --longs) size += (size.empty() ? "" : " ") + std::string("long");
  if (size.empty()) size = "int";
  return sign == "unsigned" || (sign == "signed" && size == "char") ? sign + " " + size : size;
}

encoding meaning(std::uint64_t code) {
  switch (code) {
    case DW_ATE_signed:
    case DW_ATE_signed_char: return encoding::signed_integer;
    case DW_ATE_unsigned:
    case DW_ATE_unsigned_char:
    case DW_ATE_UTF: return encoding::unsigned_integer;
    case DW_ATE_boolean: return encoding::boolean;
    case DW_ATE_float: return encoding::floating;
    case DW_ATE_complex_float: return encoding::complex;
    default: return encoding::other;
  }
}

}  // namespace

type base_type(Dwarf_Die* entry) {
  type made{.kind = kind::base, .encoding = meaning(number(entry, DW_AT_encoding).value_or(0)), .name = name_of(entry)};
  const std::optional<std::uint64_t> bits = number(entry, DW_AT_bit_size);
  made.size = number(entry, DW_AT_byte_size).value_or(bits.value_or(0) / 8);
  if (made.name == "bool") made.name = "_Bool";
  if (made.encoding == encoding::complex) {  // `complex float` and `complex double` (g++), both `complex` (clang)
    made.name = std::string(made.size <= 8 ? "float" : made.size <= 16 ? "double" : "long double") + " _Complex";
  }
  if (made.encoding == encoding::signed_integer || made.encoding == encoding::unsigned_integer) {
    made.name = canonical_number(made.name);
  }
  return made;
}

std::optional<type> promoted_type(Dwarf_Die* parameter) {
  Dwarf_Die type;
  Dwarf_Attribute reference;
  if (dwarf_attr_integrate(parameter, DW_AT_type, &reference) == nullptr ||
      dwarf_formref_die(&reference, &type) == nullptr || dwarf_peel_type(&type, &type) != 0 ||
      dwarf_tag(&type) != DW_TAG_base_type) {
    return std::nullopt;
  }
  const types::type made = base_type(&type);
  if (made.encoding == encoding::floating && made.size < sizeof(double)) {
    return types::type{.kind = kind::base, .encoding = encoding::floating, .name = "double", .size = sizeof(double)};
  }
  if (made.encoding != encoding::floating && made.encoding != encoding::complex && made.size < sizeof(int)) {
    return types::type{.kind = kind::base, .encoding = encoding::signed_integer, .name = "int", .size = sizeof(int)};
  }
  return std::nullopt;
}

std::optional<type> range_type(Dwarf_Die* entry) {
  const std::optional<std::uint64_t> size = number(entry, DW_AT_byte_size);
  Dwarf_Die of;
  Dwarf_Attribute reference;
  type made{.kind = kind::base, .encoding = encoding::signed_integer, .name = name_of(entry), .size = size.value_or(0)};
  if (dwarf_attr_integrate(entry, DW_AT_type, &reference) == nullptr || dwarf_formref_die(&reference, &of) == nullptr) {
    return made.size != 0 ? std::optional(made) : std::nullopt;
  }
  if (!size || number(&of, DW_AT_byte_size) == size) return std::nullopt;
  made.encoding = meaning(number(&of, DW_AT_encoding).value_or(DW_ATE_signed));
  return made;
}

}  // namespace autoreload::types
