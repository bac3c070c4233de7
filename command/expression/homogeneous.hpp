// SPDX-License-Identifier: MIT
// homogeneous: whether a struct is a few floating numbers of one type, which aarch64 passes one in each register.
#pragma once

#include <cstdint>

#include "type_table.hpp"

namespace autoreload::command {

struct homogeneous {
  enum class answer : std::uint8_t { no, yes, not_known };
  answer is = answer::no;
  basic of = basic::nothing;  ///< float_number, double_number or long_double when it is
  std::uint64_t count = 0;    ///< 1 to 4 when it is
};

/// As the procedure call standard for aarch64 defines it (section 5.9.5), and as gcc and clang do.
/// `not_known` of what holds a vector, something empty, or what is not described.
[[nodiscard]] homogeneous homogeneous_of(const type_table& types, type_index type);

}  // namespace autoreload::command
