// SPDX-License-Identifier: MIT
// type_reader: works off a queue, so that a chain of types of any length costs no stack.
#include "types/helper/type_reader.hpp"

#include <dwarf.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "types/helper/base_type.hpp"
#include "types/helper/entry.hpp"
#include "types/shape.hpp"

namespace autoreload::types {

namespace {

constexpr std::size_t most_types = 100'000;

// Calls `visit(child)` for each child.
template <class Visit>
void each_child(Dwarf_Die* entry, Visit visit) {
  Dwarf_Die child;
  if (dwarf_child(entry, &child) != 0) return;
  do {
    visit(child);
  } while (dwarf_siblingof(&child, &child) == 0);
}

bool plain_c(Dwarf_Die* entry) {
  Dwarf_Die unit;
  if (dwarf_diecu(entry, &unit, nullptr, nullptr) == nullptr) return false;
  switch (dwarf_srclang(&unit)) {
    case DW_LANG_C:
    case DW_LANG_C89:
    case DW_LANG_C99:
    case DW_LANG_C11:
    case 0x2c: return true;  // C17, which this libdw may not name yet
    default: return false;
  }
}

}  // namespace

type_index type_reader::add(type made) {
  into_.types.push_back(std::move(made));
  return static_cast<type_index>(into_.types.size() - 1);
}

type_index type_reader::type_of(Dwarf_Die* entry) {
  std::optional<Dwarf_Attribute> reference = attribute(entry, DW_AT_type);
  if (!reference) return 0;  // void
  Dwarf_Die type;
  return dwarf_formref_die(&*reference, &type) == nullptr ? unreadable() : read(type);
}

type_index type_reader::unreadable() {
  constexpr const char* text = "some types in its debug information can't be read";
  if (std::ranges::find(into_.problems, text) == into_.problems.end()) into_.problems.emplace_back(text);
  return add({.kind = kind::unknown, .name = "?"});
}

type_index type_reader::function_of(Dwarf_Die* function) {
  const type_index index = add({});
  fill_function(index, function);
  return index;
}

type_index type_reader::read(Dwarf_Die entry) {
  const auto known = known_.find(entry.addr);
  if (known != known_.end()) return known->second;
  if (into_.types.size() >= most_types) {
    if (into_.problems.empty()) into_.problems.emplace_back("its functions reach more types than can be compared");
    return add({.kind = kind::unknown, .name = "?"});
  }
  const type_index index = add({});
  known_.emplace(entry.addr, index);
  waiting_.emplace_back(index, entry);
  return index;
}

void type_reader::finish() {
  while (!waiting_.empty()) {
    const auto [index, entry] = waiting_.front();
    waiting_.pop_front();
    fill(index, entry);
  }
  for (const auto& [index, alignment] : stricter_fields_) {
    if (alignment_of(into_, index) < alignment) into_.types[index].alignment = alignment;
  }
  stricter_fields_.clear();
}

void type_reader::complete(type_index index, Dwarf_Die definition) {
  into_.types[index] = {};
  fill(index, definition);
}

void type_reader::fill(type_index index, Dwarf_Die entry) {
  // A type in a unit of its own: here stands only its signature.
  Dwarf_Attribute signature;
  if (dwarf_attr(&entry, DW_AT_signature, &signature) != nullptr) dwarf_formref_die(&signature, &entry);

  const auto set = [&](type made) { into_.types[index] = std::move(made); };
  switch (dwarf_tag(&entry)) {
    case DW_TAG_base_type: return set(base_type(&entry));
    case DW_TAG_pointer_type: return set({.kind = kind::pointer, .name = "*", .target = type_of(&entry)});
    case DW_TAG_reference_type: return set({.kind = kind::pointer, .name = "&", .target = type_of(&entry)});
    case DW_TAG_rvalue_reference_type: return set({.kind = kind::pointer, .name = "&&", .target = type_of(&entry)});
    case DW_TAG_const_type: return set({.kind = kind::qualified, .name = "const", .target = type_of(&entry)});
    case DW_TAG_packed_type:
    case DW_TAG_shared_type:
    case DW_TAG_immutable_type: return set({.kind = kind::alias, .name = name_of(&entry), .target = type_of(&entry)});
    case DW_TAG_volatile_type: return set({.kind = kind::qualified, .name = "volatile", .target = type_of(&entry)});
    case DW_TAG_restrict_type: return set({.kind = kind::qualified, .name = "restrict", .target = type_of(&entry)});
    case DW_TAG_atomic_type: return set({.kind = kind::qualified, .name = "_Atomic", .target = type_of(&entry)});
    case DW_TAG_template_alias:
    case DW_TAG_typedef: return set({.kind = kind::alias, .name = name_of(&entry), .target = type_of(&entry)});
    case DW_TAG_array_type: return fill_array(index, &entry);
    case DW_TAG_subprogram:
    case DW_TAG_subroutine_type: return fill_function(index, &entry);
    case DW_TAG_subrange_type:
      if (std::optional<type> own = range_type(&entry)) return set(std::move(*own));
      return set({.kind = kind::alias, .name = name_of(&entry), .target = type_of(&entry)});
    case DW_TAG_set_type:
      return set({.kind = kind::base, .name = name_of(&entry), .size = number(&entry, DW_AT_byte_size).value_or(0)});
    case DW_TAG_string_type: {
      const auto length = number(&entry, DW_AT_byte_size);
      type text{.kind = kind::array, .complete = length.has_value(), .size = length.value_or(0)};
      text.target =
          add({.kind = kind::base, .encoding = encoding::signed_integer, .name = "char", .size = sizeof(char)});
      return set(std::move(text));
    }
    case DW_TAG_unspecified_type:  // of a null pointer, or of what has no values
      if (name_of(&entry) == "decltype(nullptr)") return set({.kind = kind::pointer, .name = "*"});
      return set({.kind = kind::unknown, .name = name_of(&entry)});
    case DW_TAG_interface_type:
    case DW_TAG_class_type:
    case DW_TAG_structure_type: return fill_compound(index, &entry, kind::structure);
    case DW_TAG_union_type: return fill_compound(index, &entry, kind::unite);
    case DW_TAG_enumeration_type: return fill_enumeration(index, &entry);
    default: unreadable(); return set({.kind = kind::unknown, .name = "?"});
  }
}

// Each add() may move the types: the function is put in its place when it is whole.
void type_reader::fill_function(type_index index, Dwarf_Die* entry) {
  type made{.kind = kind::function, .target = type_of(entry)};
  const bool old_style = !flag(entry, DW_AT_prototyped) && plain_c(entry);
  each_child(entry, [&](Dwarf_Die& child) {
    if (dwarf_tag(&child) == DW_TAG_formal_parameter) {
      member parameter{.name = name_of(&child)};
      if (std::optional<type> wider = old_style ? promoted_type(&child) : std::nullopt) {
        parameter.type = add(std::move(*wider));
      } else {  // Fortran doesn't say what `type(c_ptr)` is
        parameter.type = attribute(&child, DW_AT_type) ? type_of(&child) : add({.kind = kind::unknown, .name = "?"});
      }
      made.members.push_back(std::move(parameter));
    } else if (dwarf_tag(&child) == DW_TAG_unspecified_parameters) {
      // Old-style declarations, `int f()`, have them too; a definition without parameters takes none.
      made.variadic = !old_style;
    }
  });
  into_.types[index] = std::move(made);
}

void type_reader::fill_array(type_index index, Dwarf_Die* entry) {
  const kind what = flag(entry, DW_AT_GNU_vector) ? kind::vector : kind::array;
  std::vector<std::optional<std::uint64_t>> lengths;
  each_child(entry, [&](Dwarf_Die& child) {
    if (dwarf_tag(&child) != DW_TAG_subrange_type) return;
    if (const auto count = number(&child, DW_AT_count)) {
      lengths.push_back(count);
    } else if (const auto last = number(&child, DW_AT_upper_bound)) {
      lengths.push_back(*last + 1);
    } else {
      lengths.emplace_back();
    }
  });
  if (lengths.empty()) lengths.emplace_back();
  type_index element = type_of(entry);
  const auto made = [&](const std::optional<std::uint64_t>& length) {
    return type{.kind = what, .complete = length.has_value(), .size = length.value_or(0), .target = element};
  };
  for (std::size_t i = lengths.size(); i-- > 1;) element = add(made(lengths[i]));
  into_.types[index] = made(lengths.front());
}

void type_reader::fill_compound(type_index index, Dwarf_Die* entry, kind what) {
  type made{.kind = what, .complete = !flag(entry, DW_AT_declaration), .name = name_of(entry)};
  made.size = number(entry, DW_AT_byte_size).value_or(0);
  made.alignment = number(entry, DW_AT_alignment).value_or(0);
  if (!made.complete && !made.name.empty()) declarations_.push_back({*entry, index});
  std::uint64_t strictest = 0;
  each_child(entry, [&](Dwarf_Die& child) {
    const int tag = dwarf_tag(&child);
    if (tag == DW_TAG_variant_part) {  // one of several lists of fields, which only its own language can tell
      made.members.push_back({.name = "variants", .type = add({.kind = kind::unknown, .name = "?"})});
    }
    if (tag != DW_TAG_member && tag != DW_TAG_inheritance) return;
    if (flag(&child, DW_AT_declaration)) return;  // a static member of a C++ class
    member field{.name = name_of(&child), .type = type_of(&child)};
    if (tag == DW_TAG_inheritance) field.name = "base " + std::to_string(made.members.size());
    field.bit_size = number(&child, DW_AT_bit_size).value_or(0);
    field.bit_offset = bits_before(&child, field.bit_size);
    field.alignment = number(&child, DW_AT_alignment).value_or(0);
    strictest = std::max(strictest, field.alignment);
    made.members.push_back(std::move(field));
  });
  // clang says of a field what it was asked for, but not what that makes of the struct.
  if (made.alignment == 0 && strictest != 0) stricter_fields_.emplace_back(index, strictest);
  into_.types[index] = std::move(made);
}

void type_reader::fill_enumeration(type_index index, Dwarf_Die* entry) {
  type made{.kind = kind::enumeration, .complete = !flag(entry, DW_AT_declaration), .name = name_of(entry)};
  made.size = number(entry, DW_AT_byte_size).value_or(0);
  if (!made.complete && !made.name.empty()) declarations_.push_back({*entry, index});
  each_child(entry, [&](Dwarf_Die& child) {
    if (dwarf_tag(&child) != DW_TAG_enumerator) return;
    member constant{.name = name_of(&child)};
    std::optional<Dwarf_Attribute> value = attribute(&child, DW_AT_const_value);
    // Only the signed form is negative: libdw would take the byte 200 of the unsigned ones for -56.
    if (value && dwarf_whatform(&*value) == DW_FORM_sdata) {
      Dwarf_Sword number = 0;
      dwarf_formsdata(&*value, &number);
      constant.value = number;
    } else if (value) {
      Dwarf_Word number = 0;
      dwarf_formudata(&*value, &number);
      constant.value = static_cast<std::int64_t>(number);
    }
    made.members.push_back(std::move(constant));
  });
  into_.types[index] = std::move(made);
}

}  // namespace autoreload::types
