// SPDX-License-Identifier: MIT
// classes: in which registers the System V ABI for x86-64 passes the parts of a struct.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "type_table.hpp"

namespace autoreload::command {

enum class eightbyte : std::uint8_t { none, integer, sse, x87, x87_up };

struct struct_classes {
  bool in_memory = false;
  std::array<eightbyte, 2> of{};  ///< of the first and second eight bytes
};

/// @return nothing when it holds something of which the class is not known, such as a vector
[[nodiscard]] std::optional<struct_classes> classes_of(const type_table& types, type_index structure);

}  // namespace autoreload::command
