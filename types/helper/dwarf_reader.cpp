// SPDX-License-Identifier: MIT
// dwarf_reader: finds the entry of each wanted symbol, then has its type read, then looks for definitions elsewhere.
#include "types/helper/dwarf_reader.hpp"

#include <dwarf.h>
#include <strings.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "types/helper/entry.hpp"
#include "types/helper/type_reader.hpp"
#include "types/helper/unit_facts.hpp"
#include "types/helper/units.hpp"
#include "types/helper/variable_reader.hpp"
#include "types/helper/walk.hpp"

namespace autoreload::types {

namespace {

using address_map = std::unordered_multimap<  // an alias shares its function's address
    std::uint64_t, const wanted_symbol*>;
struct target {
  const wanted_symbol* symbol;
  std::uint64_t address;  // 0: any
};
using name_map = std::unordered_map<std::string_view, target>;

// @param any_case  as Free Pascal's shorter form has names, in capitals
name_map::iterator named(name_map& wanted, Dwarf_Die& entry, bool any_case) {
  for (const unsigned which : {DW_AT_linkage_name, DW_AT_MIPS_linkage_name, DW_AT_name}) {
    Dwarf_Attribute found;
    if (dwarf_attr_integrate(&entry, which, &found) == nullptr) continue;
    const char* const text = dwarf_formstring(&found);
    if (text == nullptr) continue;
    if (const auto it = wanted.find(text); it != wanted.end()) return it;
    if (!any_case) continue;
    const auto like = [&](const auto& w) {
      return w.first.size() == std::strlen(text) && strcasecmp(w.second.symbol->name.c_str(), text) == 0;
    };
    if (const auto it = std::ranges::find_if(wanted, like); it != wanted.end()) return it;
  }
  return wanted.end();
}

class reader {
 public:
  reader(const request& ask, int file, int debug_file)
      : ask_(ask), units_(ask.path, file, debug_file, made_.problems), types_(made_) {}

  description run() {
    if (!units_.open()) {
      if (made_.problems.empty()) made_.problems.emplace_back("its debug information can't be read");
      return std::move(made_);
    }
    find_symbols();
    if (ask_.api_fields) find_api_fields();
    if (ask_.variables) read_variables(units_, types_, made_, ask_.static_types);
    types_.finish();
    search_definitions();
    find_types();
    return std::move(made_);
  }

 private:
  void find_symbols() {
    address_map by_address;
    name_map functions;
    name_map variables;
    name_map indirect;
    address_map local_variables;
    for (const wanted_symbol& s : ask_.symbols) {
      if (s.address != 0) {
        (s.local && !s.function ? local_variables : by_address).emplace(s.address, &s);
        continue;
      }
      const auto exported = units_.exported().find(s.name);
      if (exported == units_.exported().end()) continue;  // an optional one, or the loader will say so
      const auto [address, type] = exported->second;
      // What the library has counts, whatever the API struct takes it for.
      if (type == STT_OBJECT || type == STT_TLS) {
        variables.emplace(s.name, target{&s, 0});
      } else if (type == STT_GNU_IFUNC) {  // the code at its address only chooses, and has a type of its own
        indirect.emplace(s.name, target{&s, 0});
      } else {
        functions.emplace(s.name, target{&s, address});
        by_address.emplace(address, &s);
      }
    }
    std::vector<std::uint64_t> addresses;
    for (const auto& [address, symbol] : by_address) addresses.push_back(address);
    std::unordered_map<const void*, std::pair<Dwarf_Die, std::size_t>> roots;  // and how much to look for in each
    for (const auto& [address, root] : units_.at(addresses)) {
      roots.try_emplace(root.addr, root, 0).first->second.second += by_address.count(address);
    }
    for (const auto& [key, root] : roots) find_functions(root.first, root.second, by_address, functions);
    // Free Pascal exports a jump to the function, at an address of its own.
    for (auto& [name, wanted] : functions) wanted.address = 0;
    find_everywhere(functions, [&](Dwarf_Die root) {
      if (language_of(root) != language::c) find_functions(root, functions.size(), {}, functions);
    });
    find_everywhere(indirect, [&](Dwarf_Die root) { find_functions(root, indirect.size(), {}, indirect); });
    find_everywhere(variables, [&](Dwarf_Die root) { find_variables(root, variables); });
    find_local_variables(local_variables);
    // clang's short form leaves functions out altogether.
    if (!functions.empty()) {
      for (const auto& [key, root] : roots) untyped_ |= terse_.is_terse(unit_of(root.first));
    }
    if (untyped_) {
      made_.problems.emplace_back(
          "its debug information has no types (-g1, -gline-tables-only): compile it with -g to have them compared");
      return;
    }
    for (const name_map* missing : {&functions, &variables, &indirect}) {
      for (const auto& [name, symbol] : *missing) {
        made_.problems.push_back(std::string(name) + " is not in its debug information");
      }
    }
  }

  template <class Find>
  void find_everywhere(const name_map& wanted, Find find) {
    if (wanted.empty()) return;
    units_.each([&](Dwarf_Die root) { return find(root), wanted.empty(); });
  }

  void found(const wanted_symbol& symbol, bool function, type_index type, language written_in = language::c) {
    if (made_.find(symbol.name) == nullptr) made_.symbols.push_back({symbol.name, function, type, written_in});
  }

  // One of the library's own, by the entry that defines it.
  void found_here(const wanted_symbol& symbol, bool function, Dwarf_Die entry) {
    if (terse_.silent(entry)) {
      untyped_ = true;
      return;
    }
    const type_index type = function ? types_.function_of(&entry) : types_.type_of(&entry);
    found(symbol, function, type, language_of(unit_of(entry)));
  }

  // By name first. By address for what has another name in the source: an alias, a versioned symbol.
  // @param expected  after so many nothing more is looked for
  void find_functions(Dwarf_Die root, std::size_t expected, const address_map& by_address, name_map& by_name) {
    if (is_assembly(root)) return;
    std::vector<std::pair<const wanted_symbol*, Dwarf_Die>> at_address;
    const bool any_case = ignores_case(root);
    std::size_t seen = 0;
    walk(root, [&](Dwarf_Die& entry, const std::string&) {
      if (dwarf_tag(&entry) != DW_TAG_subprogram || dwarf_hasattr(&entry, DW_AT_declaration) != 0) return false;
      Dwarf_Addr low = 0;
      const bool has_code = dwarf_lowpc(&entry, &low) == 0;
      const auto [first, last] = has_code ? by_address.equal_range(low) : std::pair{by_address.end(), by_address.end()};
      for (auto it = first; it != last; ++it) {
        at_address.emplace_back(it->second, entry);
        seen += it->second->address != 0 ? 1 : 0;
      }
      const auto it =
          by_name.empty() || !flag(&entry, DW_AT_external) ? by_name.end() : named(by_name, entry, any_case);
      // A weak function that another one replaced has the same name and another address.
      if (it != by_name.end() && (!has_code || it->second.address == 0 || it->second.address == low)) {
        found_here(*it->second.symbol, true, entry);
        by_name.erase(it);
        ++seen;
      }
      return seen == expected;
    });
    for (auto& [symbol, entry] : at_address) {
      if (symbol->local) {
        if (name_of(&entry) == symbol->name) found_here(*symbol, true, entry);
      } else if (symbol->address == 0) {
        if (by_name.erase(symbol->name) != 0) found_here(*symbol, true, entry);
      } else if (std::optional<Dwarf_Die> argument = template_argument(entry)) {
        found(*symbol, symbol->function, types_.type_of(&*argument));
      }
    }
  }

  void find_variables(Dwarf_Die root, name_map& by_name) {
    const bool any_case = ignores_case(root);
    walk(root, [&](Dwarf_Die& entry, const std::string&) {
      if (dwarf_tag(&entry) != DW_TAG_variable || dwarf_hasattr(&entry, DW_AT_declaration) != 0) return false;
      const auto it = flag(&entry, DW_AT_external) ? named(by_name, entry, any_case) : by_name.end();
      if (it == by_name.end()) return false;
      found_here(*it->second.symbol, false, entry);
      by_name.erase(it);
      return by_name.empty();
    });
  }

  // By their addresses, because several units may have one of the same name.
  void find_local_variables(const address_map& by_address) {
    if (by_address.empty()) return;
    units_.each([&](Dwarf_Die root) {
      walk(root, [&](Dwarf_Die& entry, const std::string&) {
        Dwarf_Attribute location;
        Dwarf_Op* operations = nullptr;
        std::size_t count = 0;
        if (dwarf_tag(&entry) != DW_TAG_variable || dwarf_attr(&entry, DW_AT_location, &location) == nullptr ||
            dwarf_getlocation(&location, &operations, &count) != 0 || count == 0) {
          return false;
        }
        // DWARF 5 names the address by its number in a table.
        Dwarf_Addr address = operations->number;
        Dwarf_Attribute indirect;
        const bool by_number = operations->atom == DW_OP_addrx || operations->atom == DW_OP_GNU_addr_index;
        if (by_number && (dwarf_getlocation_attr(&location, operations, &indirect) != 0 ||
                          dwarf_formaddr(&indirect, &address) != 0)) {
          return false;
        }
        if (!by_number && operations->atom != DW_OP_addr) return false;
        const auto [first, last] = by_address.equal_range(address);
        for (auto it = first; it != last; ++it) {
          if (name_of(&entry) == it->second->name) found_here(*it->second, false, entry);
        }
        return false;
      });
      return false;
    });
  }

  // A struct may be declared in the unit that we came from and defined in another: in the host, because clang writes a
  // definition only where it is needed; in the library, which matters when the host knows the definition. One walk over
  // all units finds the definitions, and in which namespaces the declarations stand.
  void search_definitions() {
    const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(ask_.search_ms);
    const std::unordered_set<std::string_view> names(ask_.search_for.begin(), ask_.search_for.end());
    std::unordered_map<const void*, type_index> declared;             // its scope is not known yet
    std::unordered_map<std::string, std::vector<type_index>> wanted;  // by scope and name
    std::unordered_map<std::string, Dwarf_Die> definitions;
    const auto take = [&] {
      for (type_reader::declaration& d : types_.take_declarations()) {
        if (ask_.search || ask_.variables || names.contains(tagged_name(d.entry, "")))
          declared.emplace(d.entry.addr, d.index);
      }
    };
    const auto settle = [&] {
      for (auto it = wanted.begin(); it != wanted.end();) {
        const auto definition = definitions.find(it->first);
        if (definition == definitions.end()) {
          ++it;
          continue;
        }
        for (const type_index index : it->second) types_.complete(index, definition->second);
        types_.finish();
        it = wanted.erase(it);
      }
      take();
    };
    take();
    if (declared.empty()) return;
    units_.each([&](Dwarf_Die root) {
      walk(root, [&](Dwarf_Die& entry, const std::string& scope) {
        const bool is_declaration = dwarf_hasattr(&entry, DW_AT_declaration) != 0;
        const auto known = is_declaration ? declared.find(entry.addr) : declared.end();
        if (is_declaration && known == declared.end()) return false;
        std::string name = tagged_name(entry, scope);
        if (name.empty() || dwarf_hasattr(&entry, DW_AT_signature) != 0) return false;
        if (is_declaration) {
          wanted[std::move(name)].push_back(known->second);
          declared.erase(known);
        } else {
          definitions.try_emplace(std::move(name), entry);
        }
        return false;
      });
      settle();
      return (wanted.empty() && declared.empty()) || std::chrono::steady_clock::now() > until;
    });
  }

  // An API struct's members have a base class `autoreload::detail::field_base<Name, T, …>`, whose name and argument say
  // what the host believes of a symbol.
  void find_api_fields() {
    units_.each([&](Dwarf_Die root) {
      walk(root, [&](Dwarf_Die& entry, const std::string& scope) {
        const char* const name = dwarf_tag(&entry) == DW_TAG_class_type || dwarf_tag(&entry) == DW_TAG_structure_type
                                     ? dwarf_diename(&entry)
                                     : nullptr;
        if (name == nullptr || scope != "autoreload::detail::") return false;
        const std::string symbol = field_name(name);
        const std::optional<Dwarf_Die> argument = symbol.empty() ? std::nullopt : template_argument(entry);
        Dwarf_Die type;
        Dwarf_Attribute reference;
        if (!argument || made_.find(symbol) != nullptr) return false;
        Dwarf_Die of = *argument;
        if (dwarf_attr(&of, DW_AT_type, &reference) == nullptr || dwarf_formref_die(&reference, &type) == nullptr) {
          return false;
        }
        made_.symbols.push_back({symbol, dwarf_tag(&type) == DW_TAG_subroutine_type, types_.type_of(&of)});
        return false;
      });
      return false;
    });
  }

  // Types that are asked for by name: the symbols may not lead to them.
  void find_types() {
    if (ask_.types.empty() && !ask_.all_types) return;
    const std::unordered_set<std::string_view> names(ask_.types.begin(), ask_.types.end());
    const auto wanted = [&](Dwarf_Die& entry) {
      const char* const name = dwarf_diename(&entry);
      return name != nullptr && (ask_.all_types || names.contains(name));
    };
    units_.each([&](Dwarf_Die root) {
      walk(root, [&](Dwarf_Die& entry, const std::string&) {
        const int tag = dwarf_tag(&entry);
        const bool type = tag == DW_TAG_structure_type || tag == DW_TAG_union_type || tag == DW_TAG_enumeration_type ||
                          tag == DW_TAG_typedef;
        if (!type || dwarf_hasattr(&entry, DW_AT_declaration) != 0) return false;
        Dwarf_Die constant;
        bool found = wanted(entry);
        if (!found && tag == DW_TAG_enumeration_type && dwarf_child(&entry, &constant) == 0) {
          do found = wanted(constant);
          while (!found && dwarf_siblingof(&constant, &constant) == 0);
        }
        if (found) static_cast<void>(types_.read(entry));
        return false;
      });
      types_.finish();
      return false;
    });
  }

  const request& ask_;
  description made_;
  units units_;
  type_reader types_;
  terse_units terse_;
  bool untyped_ = false;  // a symbol's entry says nothing of its type
};

}  // namespace

description describe(const request& ask, int file, int debug_file) { return reader(ask, file, debug_file).run(); }

}  // namespace autoreload::types
