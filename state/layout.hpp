// SPDX-License-Identifier: MIT
// layout: what the carrier asks of a described type: its size, its fields, and whether two types are one.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "types/description.hpp"
#include "types/shape.hpp"

namespace autoreload::state {

using types::description;
using types::kind;
using types::type_index;

/// A described type, with where its description is.
struct typed {
  const description* in;
  type_index index;

  [[nodiscard]] const types::type& type() const { return in->at(index); }
  /// Without typedefs and qualifiers.
  [[nodiscard]] typed bare() const { return {in, types::strip(*in, index).index}; }
  /// What a bare pointer or array leads to, bare too.
  [[nodiscard]] typed target() const { return typed{in, type().target}.bare(); }
};

/// Bytes of a value; 0 for a type that has none or is damaged.
[[nodiscard]] std::uint64_t size_of(typed of);

/// A field of a struct by the name that it is carried under. An unnamed struct's fields are the outer one's; an unnamed
/// union is one field, under the name of its first.
struct slot {
  std::string name;
  std::uint64_t bit_offset;
  std::uint64_t bit_size;  ///< of a bit-field, else 0
  type_index type;
};
[[nodiscard]] std::vector<slot> slots_of(typed structure);

/// Both mean the same bytes in the same places, and none of them is a pointer: then a copy carries a value.
[[nodiscard]] bool plain_and_same(typed was, typed is);
/// As above, and pointers may be anywhere.
[[nodiscard]] bool same_bytes(typed was, typed is);
/// An integer that is made to hold a pointer: uintptr_t or intptr_t.
[[nodiscard]] bool is_address(typed of);
/// Takes structs for incomplete that have a field beyond their end: damaged debug information says such things.
void distrust_impossible(types::description& all);
/// Whether a pointer is somewhere in a value.
[[nodiscard]] bool has_pointers(typed of);
/// Whether what a pointer led to may be read through the other pointer.
[[nodiscard]] bool pointees_fit(typed was, typed is);
/// `const` anywhere that makes the whole value constant.
[[nodiscard]] bool is_constant(typed of);

}  // namespace autoreload::state
