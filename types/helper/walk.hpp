// SPDX-License-Identifier: MIT
// walk: goes through a unit's entries, and reads what a C++ entry's name and template arguments say.
#pragma once

#include <elfutils/libdw.h>

#include <dwarf.h>

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace autoreload::types {

/// Calls `visit(entry, scope)` for everything in a unit that is in no function and no type; `scope` is `a::b::` inside
/// namespaces and modules. Stops when visit says true.
template <class Visit>
bool walk(Dwarf_Die root, Visit visit) {
  std::vector<std::pair<Dwarf_Die, std::string>> scopes{{root, ""}};
  while (!scopes.empty()) {
    const auto [parent, scope] = std::move(scopes.back());
    scopes.pop_back();
    Dwarf_Die entry;
    Dwarf_Die of = parent;
    if (dwarf_child(&of, &entry) != 0) continue;
    do {
      if (dwarf_tag(&entry) == DW_TAG_namespace || dwarf_tag(&entry) == DW_TAG_module) {
        const char* const name = dwarf_diename(&entry);
        scopes.emplace_back(entry, scope + (name == nullptr ? "" : name) + "::");
      } else if (visit(entry, scope)) {
        return true;
      }
    } while (dwarf_siblingof(&entry, &entry) == 0);
  }
  return false;
}

/// The argument T of the function template that the entry is an instance of.
[[nodiscard]] std::optional<Dwarf_Die> template_argument(Dwarf_Die function);
/// `foo` for `field_base<…{"foo"}, …>` (g++) and `field_base<{{102, 111, 111, 0}}, …>` (clang).
[[nodiscard]] std::string field_name(std::string_view name);
/// `struct a::point`, or nothing for what is no struct, union or enumeration, or has no name.
[[nodiscard]] std::string tagged_name(Dwarf_Die& entry, const std::string& scope);

}  // namespace autoreload::types
