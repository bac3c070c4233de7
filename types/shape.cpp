// SPDX-License-Identifier: MIT
// shape: every walk here has a bound of its own, because a description may be nonsense that contains itself.
#include "types/shape.hpp"

#include <algorithm>

namespace autoreload::types {

namespace {

constexpr std::size_t most_fields = 10'000;

void flatten(const description& in, const type& t, std::uint64_t offset, bool alternative, int depth,
             std::vector<field>& into) {
  alternative |= t.kind == kind::unite;
  for (const member& m : t.members) {
    if (into.size() >= most_fields) return;
    const type& inner = in.at(strip(in, m.type).index);
    const bool unnamed = m.name.empty() && (inner.kind == kind::structure || inner.kind == kind::unite);
    if (unnamed && depth < deepest && !inner.members.empty()) {
      flatten(in, inner, offset + m.bit_offset, alternative, depth + 1, into);
    } else {
      into.push_back({m.name, offset + m.bit_offset, m.bit_size, m.type, alternative});
    }
  }
}

// Looks at `left` types at most.
std::uint64_t widest_alignment(const description& in, type_index index, int& left) {
  const type& t = in.at(strip(in, index).index);
  if (t.alignment != 0 || --left <= 0) return t.alignment;
  if (t.kind == kind::array) return widest_alignment(in, t.target, left);
  if (t.kind == kind::pointer) return sizeof(void*);
  if (t.kind == kind::base && t.encoding == encoding::complex) return t.size / 2;
  if (t.kind != kind::structure && t.kind != kind::unite) return t.size;
  std::uint64_t widest = 1;
  for (const member& m : t.members) {
    if (left <= 0) break;
    widest = std::max(widest, widest_alignment(in, m.type, left));
  }
  return widest;
}

}  // namespace

bare_type strip(const description& in, type_index index) {
  bare_type found{.index = index};
  for (int i = 0; i < deepest; ++i) {
    const type& t = in.at(found.index);
    if (t.kind == kind::alias) {
      found.known_as = t.name;
    } else if (t.kind == kind::qualified) {
      found.constant |= t.name == "const";
      found.atomic |= t.name == "_Atomic";
    } else {
      return found;
    }
    found.index = t.target;
  }
  return {};
}

std::vector<field> fields_of(const description& in, type_index structure) {
  std::vector<field> list;
  flatten(in, in.at(structure), 0, false, 0, list);
  return list;
}

std::uint64_t alignment_of(const description& in, type_index index) {
  int left = 1000;
  return widest_alignment(in, index, left);
}

}  // namespace autoreload::types
