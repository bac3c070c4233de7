// SPDX-License-Identifier: MIT
// scoped_names: each variable and function has a name for each way to say its unit; one that two have is no name.
#include "scoped_names.hpp"

#include <algorithm>
#include <map>
#include <utility>

namespace autoreload::command {

namespace {

class collected {
 public:
  void add(const std::string& unit, const std::string& scope, scoped_name what) {
    const std::string plain = std::move(what.name);
    const std::string inside = scope.empty() ? plain : scope + "::" + plain;
    const std::string file = unit.substr(unit.rfind('/') + 1);
    if (!scope.empty()) take(inside, what);
    take("'" + file + "'::" + inside, what);
    if (file != unit) take("'" + unit + "'::" + inside, what);
  }

  std::vector<scoped_name> unique() {
    std::vector<scoped_name> list;
    for (auto& [name, found] : by_name_) {
      if (found.second) continue;
      found.first.name = name;
      list.push_back(std::move(found.first));
    }
    return list;
  }

 private:
  // The debug information may list one of them more than once.
  void take(const std::string& name, const scoped_name& what) {
    const auto [it, fresh] = by_name_.try_emplace(name, what, false);
    if (!fresh && it->second.first.address != what.address) it->second.second = true;
  }

  std::map<std::string, std::pair<scoped_name, bool>> by_name_;  // and whether several have it
};

}  // namespace

std::vector<scoped_name> scoped_names(const types::description& of) {
  collected all;
  for (const types::variable& v : of.variables) {
    const bool whole = v.storage == types::storage::memory && v.parts.size() == 1 && v.parts[0].offset == 0 &&
                       v.parts[0].size == 0 && !v.parts[0].two_valued;
    if (whole) all.add(v.unit, v.function, {v.name, false, v.type, v.parts[0].address});
  }
  for (const types::code& f : of.functions) {
    if (f.type != 0) all.add(f.unit, {}, {f.name, true, f.type, f.address});
  }
  return all.unique();
}

std::vector<local_name> all_locals(const library& of, const types::description& types) {
  std::vector<local_name> list = of.locals();
  for (scoped_name& n : scoped_names(types)) list.push_back({std::move(n.name), n.function, n.address});
  std::ranges::sort(list, {}, &local_name::name);
  return list;
}

}  // namespace autoreload::command
