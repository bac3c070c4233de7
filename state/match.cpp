// SPDX-License-Identifier: MIT
// match: the surest way first; each next one looks only at what is left on both sides.
#include "state/match.hpp"

#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_set>

namespace autoreload::state {

namespace {

using types::variable;
using group = std::pair<std::vector<const variable*>, std::vector<const variable*>>;  // old ones, new ones

std::string_view file_of(std::string_view unit) { return unit.substr(unit.rfind('/') + 1); }

class matcher {
 public:
  matcher(const types::description& was, const types::description& is) {
    for (const variable& v : was.variables) was_.push_back(&v);
    for (const variable& v : is.variables) is_.push_back(&v);
    all_was_ = was_;
    all_is_ = is_;
    for (const types::code& c : was.functions) old_functions_.insert(c.name);
    for (const types::code& c : is.functions) new_functions_.insert(c.name);
  }

  matches run() {
    using key = std::tuple<std::string, std::string, std::string, std::uint64_t>;
    by(
        [](const variable& v) {
          return v.exported ? key{"", "", v.name, 0} : key{v.unit, v.function, v.name, v.order};
        },
        [this](const group& g) { return same_number(g); });
    by(
        [](const variable& v) {
          return key{file_of(v.unit), v.function, v.name, v.order};
        },
        [this](const group& g) { return same_number(g); });
    by(
        [](const variable& v) {
          return key{"", v.function, v.name, 0};
        },
        [this](const group& g) { return same_number(g); });
    // Into a function or out of one; from a function to another only where that one has taken its place.
    by(
        [](const variable& v) {
          return key{"", "", v.name, 0};
        },
        [this](const group& g) { return same_number(g) && may_move(*g.first.front(), *g.second.front()); });
    made_.dropped = was_;
    for (const variable* const v : is_) (crowded(*v) ? made_.ambiguous : made_.fresh).push_back(v);
    return std::move(made_);
  }

 private:
  static bool only_one(const group& g) { return g.first.size() == 1 && g.second.size() == 1; }

  // The second of two variables of one name in a function is the second of two, but not of three.
  bool same_number(const group& g) const {
    if (!only_one(g)) return false;
    return g.first.front()->exported || count(all_was_, *g.first.front()) == count(all_is_, *g.second.front());
  }
  static std::size_t count(const std::vector<const variable*>& all, const variable& like) {
    if (like.function.empty()) return 1;
    return static_cast<std::size_t>(std::count_if(all.begin(), all.end(), [&](const variable* v) {
      return v->name == like.name && v->function == like.function && v->unit == like.unit;
    }));
  }
  // Left, although the other build has its name in its function.
  bool crowded(const variable& v) const { return count(all_was_, v) != 0 && !v.function.empty(); }

  bool may_move(const variable& was, const variable& is) const {
    if (was.function.empty() || is.function.empty()) return true;
    return !new_functions_.contains(was.function) && !old_functions_.contains(is.function);
  }

  template <class Key, class Accept>
  void by(Key key_of, Accept accept) {
    std::map<decltype(key_of(*was_.front())), group> groups;
    for (const variable* const v : was_) groups[key_of(*v)].first.push_back(v);
    for (const variable* const v : is_) groups[key_of(*v)].second.push_back(v);
    std::unordered_set<const variable*> taken;
    for (const auto& [key, g] : groups) {
      if (g.first.empty() || g.second.empty() || !accept(g)) continue;
      made_.pairs.push_back({g.first.front(), g.second.front()});
      taken.insert(g.first.front());
      taken.insert(g.second.front());
    }
    std::erase_if(was_, [&](const variable* v) { return taken.contains(v); });
    std::erase_if(is_, [&](const variable* v) { return taken.contains(v); });
  }

  matches made_;
  std::vector<const variable*> was_;  // what is left
  std::vector<const variable*> is_;
  std::vector<const variable*> all_was_;
  std::vector<const variable*> all_is_;
  std::unordered_set<std::string_view> old_functions_;
  std::unordered_set<std::string_view> new_functions_;
};

}  // namespace

matches match(const types::description& was, const types::description& is) { return matcher(was, is).run(); }

function_matches::function_matches(const types::description& was, const types::description& is) {
  for (const types::code& c : was.functions) was_.push_back(&c);
  for (const types::code& c : is.functions) is_.push_back(&c);
  std::stable_sort(was_.begin(), was_.end(), [](auto* a, auto* b) { return a->address < b->address; });
  std::stable_sort(is_.begin(), is_.end(), [](auto* a, auto* b) { return a->name < b->name; });
}

const types::code* function_matches::old(std::uint64_t address) const {
  const auto at = std::lower_bound(was_.begin(), was_.end(), address,
                                   [](const types::code* c, std::uint64_t a) { return c->address < a; });
  return at == was_.end() || (*at)->address != address ? nullptr : *at;
}

const types::code* function_matches::find(std::uint64_t address) const {
  const auto by_name = [](const types::code* c, const std::string& name) { return c->name < name; };
  auto at = std::lower_bound(was_.begin(), was_.end(), address,
                             [](const types::code* c, std::uint64_t a) { return c->address < a; });
  // Several names may stand for one piece of code, when a linker found them alike.
  for (; at != was_.end() && (*at)->address == address; ++at) {
    const types::code& was = **at;
    const types::code* only = nullptr;
    std::size_t found = 0;
    for (auto now = std::lower_bound(is_.begin(), is_.end(), was.name, by_name);
         now != is_.end() && (*now)->name == was.name; ++now) {
      if ((*now)->unit == was.unit) return *now;
      only = *now;
      ++found;
    }
    if (found == 1) return only;
  }
  return nullptr;
}

}  // namespace autoreload::state
