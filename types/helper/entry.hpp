// SPDX-License-Identifier: MIT
// entry: asks one entry of the debug information for its attributes.
#pragma once

#include <elfutils/libdw.h>

#include <cstdint>
#include <optional>
#include <string>

namespace autoreload::types {

/// An attribute of the entry, or of the one that it completes or is an instance of.
[[nodiscard]] std::optional<Dwarf_Attribute> attribute(Dwarf_Die* entry, unsigned name);
/// The attribute as an unsigned number.
[[nodiscard]] std::optional<std::uint64_t> number(Dwarf_Die* entry, unsigned name);
/// Whether the attribute is there as a flag, and set.
[[nodiscard]] bool flag(Dwarf_Die* entry, unsigned name);
/// The entry's own name, or an empty one.
[[nodiscard]] std::string name_of(Dwarf_Die* entry);
/// Where a field starts, in bits from the start of its struct.
/// @param bit_size  of a bit-field; 0 for a whole field
[[nodiscard]] std::uint64_t bits_before(Dwarf_Die* field, std::uint64_t bit_size);

}  // namespace autoreload::types
