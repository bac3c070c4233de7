// SPDX-License-Identifier: MIT
// walk: where g++ and clang differ, both are known.
#include "types/helper/walk.hpp"

namespace autoreload::types {

// It stands at the instance (clang) or at the declaration that the instance completes (g++).
std::optional<Dwarf_Die> template_argument(Dwarf_Die function) {
  for (int hop = 0; hop < 4; ++hop) {
    Dwarf_Die child;
    if (dwarf_child(&function, &child) == 0) {
      do {
        const char* const name = dwarf_tag(&child) == DW_TAG_template_type_parameter ? dwarf_diename(&child) : nullptr;
        if (name != nullptr && std::string_view(name) == "T") return child;
      } while (dwarf_siblingof(&child, &child) == 0);
    }
    Dwarf_Attribute up;
    Dwarf_Die next;
    if (dwarf_attr(&function, DW_AT_abstract_origin, &up) == nullptr &&
        dwarf_attr(&function, DW_AT_specification, &up) == nullptr) {
      break;
    }
    if (dwarf_formref_die(&up, &next) == nullptr) break;
    function = next;
  }
  return std::nullopt;
}

std::string field_name(std::string_view name) {
  if (!name.starts_with("field_base<")) return {};
  if (const std::size_t quote = name.find('"'); quote != std::string_view::npos && quote < name.find('}')) {
    return std::string(name.substr(quote + 1, name.find('"', quote + 1) - quote - 1));
  }
  std::string letters;
  std::size_t at = name.find('{');
  while (at != std::string_view::npos && at < name.size() && name[at] != '}') {
    if (name[at] < '0' || name[at] > '9') {
      ++at;
      continue;
    }
    unsigned letter = 0;
    for (; at < name.size() && name[at] >= '0' && name[at] <= '9'; ++at) {
      letter = letter * 10 + static_cast<unsigned>(name[at] - '0');
    }
    if (letter != 0) letters.push_back(static_cast<char>(letter));
  }
  return letters;
}

std::string tagged_name(Dwarf_Die& entry, const std::string& scope) {
  const char* word = nullptr;
  switch (dwarf_tag(&entry)) {
    case DW_TAG_class_type:
    case DW_TAG_structure_type: word = "struct "; break;
    case DW_TAG_union_type: word = "union "; break;
    case DW_TAG_enumeration_type: word = "enum "; break;
    default: return {};
  }
  const char* const name = dwarf_diename(&entry);
  return name == nullptr ? std::string{} : word + scope + name;
}

}  // namespace autoreload::types
