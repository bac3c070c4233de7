// SPDX-License-Identifier: MIT
// shape: types as a compiled caller sees them: without typedefs, with all fields in one list.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "types/description.hpp"

namespace autoreload::types {

/// How deep a declaration may go (pointers to arrays of functions of …). Real ones stay far below; what is deeper is
/// nonsense, and is cut off there.
inline constexpr int deepest = 48;

/// A type without its typedefs and qualifiers, and what they were.
struct bare_type {
  type_index index = 0;
  std::string_view known_as{};  ///< the innermost typedef
  bool constant = false;
  bool atomic = false;
};
[[nodiscard]] bare_type strip(const description& in, type_index index);

/// A field as a caller names it: the fields of an unnamed struct or union count as the outer one's.
struct field {
  std::string_view name;
  std::uint64_t offset;  ///< bits
  std::uint64_t bits;    ///< of a bit-field, else 0
  type_index type;
  bool alternative;  ///< inside a union
};
/// In the order of their declaration; at most 10,000.
[[nodiscard]] std::vector<field> fields_of(const description& in, type_index structure);

/// What the compiler aligns a type to, in bytes. An estimate: a packed struct's debug information does not tell it.
[[nodiscard]] std::uint64_t alignment_of(const description& in, type_index index);

}  // namespace autoreload::types
