// SPDX-License-Identifier: MIT
// lengths: a wrong guess does no harm: it only means to look at memory that is readable for words that lead into the
// old build.
#include "state/lengths.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace autoreload::state {

namespace {

constexpr std::array<std::string_view, 8> words{"count", "len", "length", "size", "num", "n", "used", "capacity"};

bool is_integer(typed of) {
  const types::type& t = of.bare().type();
  return t.kind == kind::base &&
         (t.encoding == types::encoding::signed_integer || t.encoding == types::encoding::unsigned_integer) &&
         t.size <= 8;
}

// A pointer to the struct itself is a list's or a tree's.
bool leads_elsewhere(typed field, typed structure) {
  const typed bare = field.bare();
  if (bare.type().kind != kind::pointer) return false;
  const typed target = bare.target();
  if (target.index == structure.bare().index) return false;
  return target.type().kind == kind::structure || target.type().kind == kind::unite ||
         target.type().kind == kind::pointer;
}

void gather(typed structure, std::uint64_t offset, int depth, std::vector<counted>& into) {
  const std::vector<slot> slots = slots_of(structure);
  std::size_t arrays = 0;
  for (const slot& s : slots) arrays += leads_elsewhere({structure.in, s.type}, structure) ? 1 : 0;
  for (const slot& s : slots) {
    const typed field{structure.in, s.type};
    if (s.bit_size == 0 && field.bare().type().kind == kind::structure && depth < types::deepest) {
      gather(field.bare(), offset + s.bit_offset / 8, depth + 1, into);
    }
    if (!leads_elsewhere(field, structure)) continue;
    for (const slot& n : slots) {
      if (n.bit_size != 0 || !is_integer({structure.in, n.type})) continue;
      const bool plain = arrays == 1 && std::find(words.begin(), words.end(), n.name) != words.end();
      if (!plain && !counts(n.name, s.name)) continue;
      const types::type& t = typed{structure.in, n.type}.bare().type();
      into.push_back({offset + s.bit_offset / 8, offset + n.bit_offset / 8, {t.encoding, t.size, 0, 0}});
      break;
    }
  }
}

bool says_how_many(const std::string& name, const std::string& items) {
  const auto says = [&](const std::string& stem) {
    return std::any_of(words.begin(), words.end(), [&](std::string_view w) {
      const std::string word(w);
      return name == stem + "_" + word || name == word + "_" + stem || name == word + stem || name == stem + word;
    });
  };
  return says(items) || (items.size() > 2 && items.back() == 's' && says(items.substr(0, items.size() - 1)));
}

// Of `table_n_rows` and `table_rows` the length of `table_`, which says whose both are.
std::size_t common_prefix(const std::string& a, const std::string& b) {
  const auto differ = std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first;
  const std::size_t last = a.substr(0, static_cast<std::size_t>(differ - a.begin())).rfind('_');
  return last == std::string::npos ? 0 : last + 1;
}

}  // namespace

bool counts(const std::string& name, const std::string& items) {
  const std::size_t prefix = common_prefix(name, items);
  return says_how_many(name, items) || (prefix > 0 && says_how_many(name.substr(prefix), items.substr(prefix)));
}

std::vector<counted> counted_fields(typed structure) {
  std::vector<counted> found;
  if (structure.bare().type().kind == kind::structure) gather(structure.bare(), 0, 0, found);
  return found;
}

}  // namespace autoreload::state
