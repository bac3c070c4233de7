// SPDX-License-Identifier: MIT
// unit_facts: names of languages newer than the library that reads them are given by number.
#include "types/helper/unit_facts.hpp"

#include <dwarf.h>

#include <string_view>
#include <vector>

namespace autoreload::types {

namespace {

constexpr int assembly = 0x31;
constexpr int zig = 0x27;

std::string_view text(Dwarf_Die unit, unsigned name) {
  Dwarf_Attribute found;
  const char* const value = dwarf_attr(&unit, name, &found) == nullptr ? nullptr : dwarf_formstring(&found);
  return value == nullptr ? std::string_view{} : value;
}

bool has(Dwarf_Die entry, unsigned name) {
  Dwarf_Attribute found;
  return dwarf_attr_integrate(&entry, name, &found) != nullptr;
}

bool generated(Dwarf_Die unit) {
  const std::string_view source = text(unit, DW_AT_name);
  return source.ends_with(".nim.c") || source.ends_with(".nim.cpp") || source.ends_with("_cgo_export.c") ||
         text(unit, DW_AT_producer).starts_with("zig ");
}

// What g++ and clang give every entry of a function whose types they describe, or an entry that is about types.
bool speaks_of_types(Dwarf_Die& entry) {
  switch (dwarf_tag(&entry)) {
    case DW_TAG_base_type:
    case DW_TAG_structure_type:
    case DW_TAG_class_type:
    case DW_TAG_union_type:
    case DW_TAG_enumeration_type: return true;
    default: return has(entry, DW_AT_type) || has(entry, DW_AT_prototyped);
  }
}

}  // namespace

Dwarf_Die unit_of(Dwarf_Die entry) {
  Dwarf_Attribute name;
  Dwarf_Die unit;
  if (dwarf_attr_integrate(&entry, DW_AT_name, &name) != nullptr &&
      dwarf_cu_die(name.cu, &unit, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr) != nullptr) {
    return unit;
  }
  return dwarf_diecu(&entry, &unit, nullptr, nullptr) == nullptr ? entry : unit;
}

bool is_assembly(Dwarf_Die unit) {
  const int code = dwarf_srclang(&unit);
  return code == DW_LANG_Mips_Assembler || code == assembly;
}

bool ignores_case(Dwarf_Die unit) {
  Dwarf_Attribute found;
  Dwarf_Word value = DW_ID_case_sensitive;
  return dwarf_attr(&unit, DW_AT_identifier_case, &found) != nullptr && dwarf_formudata(&found, &value) == 0 &&
         value != DW_ID_case_sensitive;
}

language language_of(Dwarf_Die unit) {
  switch (dwarf_srclang(&unit)) {
    case -1:  // not said
    case DW_LANG_C89:
    case DW_LANG_C:
    case DW_LANG_C_plus_plus:
    case DW_LANG_C99:
    case DW_LANG_ObjC:
    case DW_LANG_ObjC_plus_plus:
    case DW_LANG_UPC:
    case DW_LANG_OpenCL:
    case DW_LANG_C_plus_plus_03:
    case DW_LANG_C_plus_plus_11:
    case DW_LANG_C11:
    case DW_LANG_C_plus_plus_14:
    case 0x2a:  // C++17
    case 0x2b:  // C++20
    case 0x2c:  // C17
    case 0x3a:  // C++23
    case 0x3e:  // C23
    case assembly:
    case DW_LANG_Mips_Assembler: return generated(unit) ? language::other : language::c;
    case DW_LANG_Cobol74:
    case DW_LANG_Cobol85:
    case DW_LANG_Fortran77:
    case DW_LANG_Fortran90:
    case DW_LANG_Pascal83:
    case DW_LANG_Modula2:
    case DW_LANG_Fortran95:
    case DW_LANG_PLI:
    case DW_LANG_Modula3:
    case DW_LANG_Fortran03:
    case DW_LANG_Fortran08:
    case 0x2d:  // Fortran 2018
    case 0x3f:  // Fortran 2023
      return language::by_reference;
    case zig:
    default: return language::other;
  }
}

bool terse_units::silent(Dwarf_Die entry) {
  if (speaks_of_types(entry)) return false;
  if (dwarf_tag(&entry) == DW_TAG_variable) return true;
  Dwarf_Die child;
  if (dwarf_child(&entry, &child) == 0) {
    do {
      const int tag = dwarf_tag(&child);
      if (tag == DW_TAG_formal_parameter || tag == DW_TAG_unspecified_parameters) return false;
    } while (dwarf_siblingof(&child, &child) == 0);
  }
  return is_terse(unit_of(entry));
}

// Where nothing in a unit has a type, either all of it is `void (void)`, or types were left out. gcc tells only by the
// options that it records; clang then leaves out whether a function is external, too. For what remains "unknown" is the
// answer that refuses nothing.
bool terse_units::is_terse(Dwarf_Die unit) {
  const auto [known, fresh] = known_.try_emplace(unit.addr, true);
  if (!fresh) return known->second;
  bool external = false;
  std::vector<Dwarf_Die> scopes{unit};
  while (!scopes.empty()) {
    Dwarf_Die entry = scopes.back();
    scopes.pop_back();
    if (dwarf_child(&entry, &entry) != 0) continue;
    do {
      if (speaks_of_types(entry)) return known->second = false;
      const int tag = dwarf_tag(&entry);
      if (tag == DW_TAG_namespace || tag == DW_TAG_module) scopes.push_back(entry);
      external |= has(entry, DW_AT_external);
    } while (dwarf_siblingof(&entry, &entry) == 0);
  }
  const std::string_view producer = text(unit, DW_AT_producer);
  if (producer.starts_with("GNU ")) {
    const bool records_options = producer.find(" -") != std::string_view::npos;
    return known->second = !records_options || producer.find(" -g1") != std::string_view::npos;
  }
  return known->second = !external || language_of(unit) != language::c;
}

}  // namespace autoreload::types
