// SPDX-License-Identifier: MIT
// variable_reader: after link-time optimisation, or where a function was inlined, one variable has several entries: one
// says its name and another its place. They are one when they lead to the same first entry.
#include "types/helper/variable_reader.hpp"

#include <dwarf.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "types/helper/entry.hpp"
#include "types/helper/unit_facts.hpp"

namespace autoreload::types {

namespace {

constexpr std::size_t most = 100'000;  // of variables, and of functions
constexpr int deepest_scope = 64;

// The entry that a concrete one is an instance or the definition of.
Dwarf_Die first_entry(Dwarf_Die entry) {
  for (int hop = 0; hop < 8; ++hop) {
    Dwarf_Attribute up;
    Dwarf_Die next;
    if (dwarf_attr(&entry, DW_AT_abstract_origin, &up) == nullptr &&
        dwarf_attr(&entry, DW_AT_specification, &up) == nullptr) {
      break;
    }
    if (dwarf_formref_die(&up, &next) == nullptr) break;
    entry = next;
  }
  return entry;
}

std::string unit_name(Dwarf_Die entry) {
  Dwarf_Die unit = unit_of(entry);
  return name_of(&unit);
}

std::optional<std::uint64_t> address_in(Dwarf_Attribute& location, Dwarf_Op& step) {
  if (step.atom == DW_OP_addr) return step.number;
  if (step.atom != DW_OP_addrx && step.atom != DW_OP_GNU_addr_index) return std::nullopt;
  Dwarf_Attribute indirect;
  Dwarf_Addr address = 0;
  if (dwarf_getlocation_attr(&location, &step, &indirect) != 0 || dwarf_formaddr(&indirect, &address) != 0) {
    return std::nullopt;
  }
  return address;
}

std::optional<std::uint64_t> constant_in(const Dwarf_Op& step) {
  if (step.atom >= DW_OP_lit0 && step.atom <= DW_OP_lit31) return step.atom - DW_OP_lit0;
  switch (step.atom) {
    case DW_OP_const1u:
    case DW_OP_const1s:
    case DW_OP_const2u:
    case DW_OP_const2s:
    case DW_OP_const4u:
    case DW_OP_const4s:
    case DW_OP_const8u:
    case DW_OP_const8s:
    case DW_OP_constu:
    case DW_OP_consts: return step.number;
    default: return std::nullopt;
  }
}

// clang keeps of a number that is only ever one of two a byte: `addr, deref_size 1, K, mul, B, plus, stack_value`.
bool is_two_valued(const Dwarf_Op* steps, std::size_t count) {
  return count >= 6 && steps[0].atom == DW_OP_deref_size && steps[0].number == 1 && constant_in(steps[1]) &&
         steps[2].atom == DW_OP_mul && constant_in(steps[3]) && steps[4].atom == DW_OP_plus &&
         steps[5].atom == DW_OP_stack_value;
}

bool is_thread_local(const Dwarf_Op& step) {
  return step.atom == DW_OP_form_tls_address || step.atom == DW_OP_GNU_push_tls_address;
}

// @return whether all of the steps were understood
bool read_location(Dwarf_Attribute& location, variable& into) {
  Dwarf_Op* steps = nullptr;
  std::size_t count = 0;
  if (dwarf_getlocation(&location, &steps, &count) != 0 || count == 0) return false;
  if (std::any_of(steps, steps + count, is_thread_local)) {
    into.storage = storage::thread_local_;
    return true;
  }
  std::uint64_t offset = 0;
  for (std::size_t i = 0; i < count;) {
    variable_part part{.offset = offset};
    bool there = steps[i].atom != DW_OP_piece;  // a piece of nothing was optimised away
    if (there) {
      const std::optional<std::uint64_t> address = address_in(location, steps[i]);
      if (!address && !constant_in(steps[i])) return false;
      there = address.has_value();
      part.address = address.value_or(0);
      ++i;
      if (there && i < count && steps[i].atom == DW_OP_stack_value) {  // the value is the address: nothing changes it
        there = false;
        ++i;
      }
      if (there && is_two_valued(steps + i, count - i)) {
        part.two_valued = true;
        part.clear = *constant_in(steps[i + 3]);
        part.set = part.clear + *constant_in(steps[i + 1]);
        i += 6;
      } else if (!there && i < count && steps[i].atom == DW_OP_stack_value) {
        ++i;
      }
    }
    if (i < count) {
      if (steps[i].atom != DW_OP_piece) return false;
      part.size = steps[i].number;
      offset += part.size;
      ++i;
    }
    if (there) into.parts.push_back(part);
  }
  into.storage = into.parts.empty() ? storage::none : storage::memory;
  return true;
}

class lister {
 public:
  lister(units& from, type_reader& types, description& into, bool static_types)
      : from_(from), types_(types), into_(into), static_types_(static_types) {}

  void run() {
    from_.each([&](Dwarf_Die root) {
      if (!is_assembly(root)) list(root, {}, {}, 0);
      return false;
    });
    number_namesakes();
    heed_symbols();
  }

 private:
  void list(Dwarf_Die parent, const std::string& scope, const std::string& function, int depth) {
    Dwarf_Die entry;
    if (depth > deepest_scope || dwarf_child(&parent, &entry) != 0) return;
    do {
      switch (dwarf_tag(&entry)) {
        case DW_TAG_variable: add_variable(entry, scope, function); break;
        case DW_TAG_namespace:
        case DW_TAG_module: list(entry, scope + name_of(&entry) + "::", function, depth + 1); break;
        case DW_TAG_subprogram: {
          Dwarf_Die named = first_entry(entry);
          add_function(entry, named);
          list(entry, scope, name_of(&named), depth + 1);
          break;
        }
        case DW_TAG_inlined_subroutine: {
          Dwarf_Die named = first_entry(entry);
          list(entry, scope, name_of(&named), depth + 1);
          break;
        }
        case DW_TAG_lexical_block: list(entry, scope, function, depth + 1); break;
        default: break;
      }
    } while (dwarf_siblingof(&entry, &entry) == 0);
  }

  void add_variable(Dwarf_Die entry, const std::string& scope, const std::string& function) {
    Dwarf_Die named = first_entry(entry);
    const std::string name = name_of(&named);
    const bool declared = dwarf_hasattr(&entry, DW_AT_declaration) != 0;
    if (declared || name.empty() || name.starts_with("__func__") || name.starts_with("__FUNCTION__") ||
        name.starts_with("__PRETTY_FUNCTION__") || flag(&entry, DW_AT_artificial)) {
      return;
    }
    Dwarf_Attribute location;
    const bool placed = dwarf_attr(&entry, DW_AT_location, &location) != nullptr;
    variable found;
    const bool understood = placed && read_location(location, found);
    // Of a function's variables those without a place of their own in the file are automatic ones. A static one that
    // lost its place can't be told from them, and has nothing to carry.
    if (!function.empty() && (!understood || found.storage == storage::none)) return;
    if (placed && !understood) found.storage = storage::unreadable;

    const auto [known, fresh] = by_first_.try_emplace(named.addr, into_.variables.size());
    if (!fresh) {
      variable& before = into_.variables[known->second];
      if (before.storage == storage::none || before.storage == storage::unreadable) {
        before.storage = found.storage;
        before.parts = std::move(found.parts);
      }
      return;
    }
    if (into_.variables.size() >= most) return complain("it has more variables than can be carried");
    found.unit = unit_name(entry);
    found.function = function;
    found.name = scope + name;
    found.exported = flag(&entry, DW_AT_external);
    found.type = types_.type_of(&entry);
    into_.variables.push_back(std::move(found));
    places_.emplace_back(number(&entry, DW_AT_decl_line).value_or(0), dwarf_dieoffset(&named));
  }

  void add_function(Dwarf_Die entry, Dwarf_Die named) {
    Dwarf_Addr address = 0;
    const std::string name = name_of(&named);
    if (name.empty() || dwarf_entrypc(&entry, &address) != 0 || address == 0) return;
    if (into_.functions.size() >= most) return complain("it has more functions than can be told apart");
    const bool exported = flag(&entry, DW_AT_external);
    const type_index type = exported || static_types_ ? types_.function_of(&entry) : 0;
    into_.functions.push_back({unit_name(entry), name, exported, address, type});
  }

  // Variables of one name in one function stand in different blocks. In what order is all that tells them apart.
  void number_namesakes() {
    std::map<std::tuple<std::string_view, std::string_view, std::string_view>, std::vector<std::size_t>> groups;
    for (std::size_t i = 0; i < into_.variables.size(); ++i) {
      const variable& v = into_.variables[i];
      groups[{v.unit, v.function, v.name}].push_back(i);
    }
    for (auto& [key, members] : groups) {
      std::sort(members.begin(), members.end(), [&](std::size_t a, std::size_t b) { return places_[a] < places_[b]; });
      for (std::size_t i = 0; i < members.size(); ++i) into_.variables[members[i]].order = i;
    }
  }

  // What the symbol table alone knows. A compiler makes variants of a function for some of its callers
  // (`f.constprop.0`, `f.part.0`): no pointer leads to one, and the debug information gives it the function's own name.
  // Link-time optimisation renames static functions (`f.lto_priv.0`, `f.llvm.123`), which are the functions themselves.
  // Of functions that do the same it keeps one body: the others are jumps to it, of which the debug information tells
  // no address.
  void heed_symbols() {
    constexpr const char* of_clones[] = {".constprop.", ".part.", ".isra.", ".cold", ".specialized."};
    std::set<std::uint64_t> clones;
    std::set<std::uint64_t> own;
    std::map<std::string, std::uint64_t> names;  // 0: several have it
    each_function_symbol([&](const std::string& name, std::uint64_t address) {
      const bool clone = std::any_of(std::begin(of_clones), std::end(of_clones),
                                     [&](const char* part) { return name.find(part) != std::string::npos; });
      (clone ? clones : own).insert(address);
      if (clone || address == 0) return;
      const auto [known, fresh] = names.emplace(name.substr(0, name.find('.')), address);
      if (!fresh && known->second != address) known->second = 0;
    });
    std::erase_if(into_.functions,
                  [&](const code& c) { return clones.contains(c.address) && !own.contains(c.address); });
    std::set<std::uint64_t> told;
    for (const code& c : into_.functions) told.insert(c.address);
    for (const auto& [name, address] : names) {
      if (address == 0 || told.contains(address) || into_.functions.size() >= most) continue;
      into_.functions.push_back({.name = name, .address = address});
    }
  }

  template <class Visit>
  void each_function_symbol(Visit visit) {
    Elf* const elf = from_.debug_file();
    for (Elf_Scn* section = elf_nextscn(elf, nullptr); section != nullptr; section = elf_nextscn(elf, section)) {
      GElf_Shdr header;
      if (gelf_getshdr(section, &header) == nullptr || header.sh_type != SHT_SYMTAB || header.sh_entsize == 0) continue;
      Elf_Data* const data = elf_getdata(section, nullptr);
      const auto count = static_cast<int>(std::min<std::uint64_t>(header.sh_size / header.sh_entsize, 10 * most));
      for (int i = 0; data != nullptr && i < count; ++i) {
        GElf_Sym symbol;
        if (gelf_getsym(data, i, &symbol) == nullptr || GELF_ST_TYPE(symbol.st_info) != STT_FUNC) continue;
        const char* const name = elf_strptr(elf, header.sh_link, symbol.st_name);
        if (name != nullptr) visit(std::string(name), symbol.st_shndx == SHN_UNDEF ? 0 : symbol.st_value);
      }
    }
  }

  void complain(const char* text) {
    if (std::find(into_.problems.begin(), into_.problems.end(), text) == into_.problems.end()) {
      into_.problems.emplace_back(text);
    }
  }

  units& from_;
  type_reader& types_;
  description& into_;
  bool static_types_;
  std::unordered_map<const void*, std::size_t> by_first_;
  std::vector<std::pair<std::uint64_t, Dwarf_Off>> places_;  // of each variable in the source
};

}  // namespace

void read_variables(units& from, type_reader& types, description& into, bool static_types) {
  lister(from, types, into, static_types).run();
}

}  // namespace autoreload::types
