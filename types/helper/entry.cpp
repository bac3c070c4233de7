// SPDX-License-Identifier: MIT
// entry: reads attributes in the forms that the versions of DWARF have for them.
#include "types/helper/entry.hpp"

#include <dwarf.h>

#include <bit>

namespace autoreload::types {

std::optional<Dwarf_Attribute> attribute(Dwarf_Die* entry, unsigned name) {
  Dwarf_Attribute found;
  if (dwarf_attr_integrate(entry, name, &found) == nullptr) return std::nullopt;
  return found;
}

std::optional<std::uint64_t> number(Dwarf_Die* entry, unsigned name) {
  std::optional<Dwarf_Attribute> found = attribute(entry, name);
  Dwarf_Word value = 0;
  if (!found || dwarf_formudata(&*found, &value) != 0) return std::nullopt;
  return value;
}

std::string name_of(Dwarf_Die* entry) {
  const char* const name = dwarf_diename(entry);
  return name == nullptr ? std::string{} : std::string(name);
}

bool flag(Dwarf_Die* entry, unsigned name) {
  std::optional<Dwarf_Attribute> found = attribute(entry, name);
  bool value = false;
  return found && dwarf_formflag(&*found, &value) == 0 && value;
}

namespace {

std::uint64_t bytes_before(Dwarf_Die* field) {
  std::optional<Dwarf_Attribute> where = attribute(field, DW_AT_data_member_location);
  if (!where) return 0;
  Dwarf_Word offset = 0;
  if (dwarf_formudata(&*where, &offset) == 0) return offset;
  Dwarf_Op* steps = nullptr;  // the old way: a little program
  std::size_t count = 0;
  if (dwarf_getlocation(&*where, &steps, &count) == 0 && count == 1 && steps[0].atom == DW_OP_plus_uconst) {
    return steps[0].number;
  }
  return 0;
}

std::uint64_t storage_size(Dwarf_Die* field) {
  if (const auto own = number(field, DW_AT_byte_size)) return *own;
  Dwarf_Die type;
  Dwarf_Attribute reference;
  if (dwarf_attr_integrate(field, DW_AT_type, &reference) == nullptr ||
      dwarf_formref_die(&reference, &type) == nullptr || dwarf_peel_type(&type, &type) != 0) {
    return 0;
  }
  return number(&type, DW_AT_byte_size).value_or(0);
}

}  // namespace

std::uint64_t bits_before(Dwarf_Die* field, std::uint64_t bit_size) {
  if (const auto from_start = number(field, DW_AT_data_bit_offset)) return *from_start;
  const std::uint64_t start = bytes_before(field) * 8;
  std::optional<Dwarf_Attribute> old = attribute(field, DW_AT_bit_offset);
  Dwarf_Sword from_top = 0;
  if (!old || dwarf_formsdata(&*old, &from_top) != 0) return start;
  // DWARF 3 and g++ with DWARF 4: counted from the storage unit's most significant bit.
  const auto top = static_cast<std::uint64_t>(from_top);
  if constexpr (std::endian::native == std::endian::big) return start + top;
  return start + storage_size(field) * 8 - top - bit_size;
}

}  // namespace autoreload::types
