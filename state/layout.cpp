// SPDX-License-Identifier: MIT
// layout: every walk is bounded, because a damaged description may contain itself.
#include "state/layout.hpp"

#include <algorithm>

namespace autoreload::state {

namespace {

constexpr std::uint64_t largest = std::uint64_t{1} << 40;  // bytes; what is larger is nonsense
constexpr std::size_t most_slots = 20'000;

std::uint64_t size_at(typed of, int depth) {
  const typed bare = of.bare();
  const types::type& t = bare.type();
  switch (t.kind) {
    case kind::base:
    case kind::structure:
    case kind::unite:
    case kind::enumeration: return t.size < largest ? t.size : 0;
    case kind::pointer: return sizeof(void*);
    case kind::array:
    case kind::vector: {
      const std::uint64_t element = depth > types::deepest ? 0 : size_at({of.in, t.target}, depth + 1);
      return element == 0 || t.size > largest / element ? 0 : t.size * element;
    }
    default: return 0;
  }
}

// A union without a name goes by its first field that has one, perhaps in a struct without a name.
std::string first_name(typed of, int depth) {
  if (depth > types::deepest) return {};
  for (const types::member& m : of.type().members) {
    std::string name = m.name.empty() ? first_name(typed{of.in, m.type}.bare(), depth + 1) : m.name;
    if (!name.empty()) return name;
  }
  return {};
}

void gather(typed structure, std::uint64_t offset, int depth, std::vector<slot>& into) {
  for (const types::member& m : structure.type().members) {
    if (into.size() >= most_slots || depth > types::deepest) return;
    const typed inner = typed{structure.in, m.type}.bare();
    if (!m.name.empty()) {
      into.push_back({m.name, offset + m.bit_offset, m.bit_size, m.type});
    } else if (inner.type().kind == kind::structure) {
      gather(inner, offset + m.bit_offset, depth + 1, into);
    } else if (inner.type().kind == kind::unite) {
      std::string name = first_name(inner, 0);
      if (!name.empty()) into.push_back({std::move(name), offset + m.bit_offset, 0, m.type});
    }  // else an unnamed bit-field: padding
  }
}

// One walk answers three questions: whether bytes mean the same, whether pointers are there, and both at once.
class comparison {
 public:
  enum class pointers : std::uint8_t { none, fitting, any };
  explicit comparison(pointers allowed) : pointers_(allowed) {}

  bool same(typed was, typed is, int depth = 0) {
    if (--left_ < 0 || depth > types::deepest) return false;
    if (is_address(was) || is_address(is)) return pointers_ != pointers::none && size_of(was) == size_of(is);
    was = was.bare();
    is = is.bare();
    const types::type& a = was.type();
    const types::type& b = is.type();
    if (a.kind != b.kind) return false;
    switch (a.kind) {
      case kind::base: return a.encoding == b.encoding && a.size == b.size && a.size != 0;
      case kind::pointer:
        return pointers_ == pointers::any ||
               (pointers_ == pointers::fitting && pointees_fit(was.target(), is.target()));
      case kind::vector:
      case kind::array: return a.size == b.size && same({was.in, a.target}, {is.in, b.target}, depth + 1);
      case kind::enumeration: return a.size == b.size && same_constants(a, b);
      case kind::unite:
      case kind::structure: return a.complete && b.complete && a.size == b.size && same_fields(was, is, depth);
      default: return false;
    }
  }

 private:
  static bool same_constants(const types::type& a, const types::type& b) {
    return std::equal(
        a.members.begin(), a.members.end(), b.members.begin(), b.members.end(),
        [](const types::member& x, const types::member& y) { return x.name == y.name && x.value == y.value; });
  }

  bool same_fields(typed was, typed is, int depth) {
    const auto& a = was.type().members;
    const auto& b = is.type().members;
    if (a.size() != b.size()) return false;
    for (std::size_t i = 0; i < a.size(); ++i) {
      if (a[i].name != b[i].name || a[i].bit_offset != b[i].bit_offset || a[i].bit_size != b[i].bit_size ||
          !same({was.in, a[i].type}, {is.in, b[i].type}, depth + 1)) {
        return false;
      }
    }
    return true;
  }

  pointers pointers_;
  int left_ = 100'000;
};

bool pointers_in(typed of, int depth, int& left) {
  if (--left < 0 || depth > types::deepest) return false;
  if (is_address(of)) return true;
  of = of.bare();
  const types::type& t = of.type();
  if (t.kind == kind::pointer) return true;
  if (t.kind == kind::array) return pointers_in({of.in, t.target}, depth + 1, left);
  if (t.kind != kind::structure && t.kind != kind::unite) return false;
  return std::any_of(t.members.begin(), t.members.end(), [&](const types::member& m) {
    return pointers_in({of.in, m.type}, depth + 1, left);
  });
}

bool fits(typed was, typed is, int depth) {
  was = was.bare();
  is = is.bare();
  const types::type& a = was.type();
  const types::type& b = is.type();
  const auto open = [](const types::type& t) {
    return t.kind == kind::nothing || t.kind == kind::unknown || (!t.complete && t.kind != kind::array);
  };
  if (open(a) || open(b) || depth > types::deepest) return true;
  const auto number = [](kind k) { return k == kind::base || k == kind::enumeration; };
  if (number(a.kind) && number(b.kind)) {
    return a.size == b.size && (a.encoding == types::encoding::floating) == (b.encoding == types::encoding::floating);
  }
  if (a.kind == kind::array && b.kind != kind::array) return fits({was.in, a.target}, is, depth + 1);
  if (b.kind == kind::array && a.kind != kind::array) return fits(was, {is.in, b.target}, depth + 1);
  if (a.kind != b.kind) return false;
  if (a.kind == kind::pointer || a.kind == kind::array) return fits(was.target(), is.target(), depth + 1);
  if (a.kind == kind::structure || a.kind == kind::unite) {
    // Under another name it is the same struct if it looks so. What its pointers lead to is not asked again: to itself.
    return a.name == b.name || a.name.empty() || b.name.empty() || comparison(comparison::pointers::any).same(was, is);
  }
  return true;
}

}  // namespace

std::uint64_t size_of(typed of) { return size_at(of, 0); }

std::vector<slot> slots_of(typed structure) {
  std::vector<slot> list;
  gather(structure.bare(), 0, 0, list);
  return list;
}

void distrust_impossible(types::description& all) {
  for (types::type& t : all.types) {
    if (t.kind != kind::structure && t.kind != kind::unite) continue;
    for (const types::member& m : t.members) {
      const std::uint64_t end =
          m.bit_size != 0 ? (m.bit_offset + m.bit_size + 7) / 8 : m.bit_offset / 8 + size_of({&all, m.type});
      if (end > t.size) t.complete = false;
    }
  }
}

bool plain_and_same(typed was, typed is) { return comparison(comparison::pointers::none).same(was, is); }
bool same_bytes(typed was, typed is) { return comparison(comparison::pointers::fitting).same(was, is); }

bool has_pointers(typed of) {
  int left = 100'000;
  return pointers_in(of, 0, left);
}

bool pointees_fit(typed was, typed is) { return fits(was, is, 0); }

bool is_address(typed of) {
  for (int i = 0; i < types::deepest; ++i) {
    const types::type& t = of.type();
    if (t.kind == kind::alias && (t.name == "uintptr_t" || t.name == "intptr_t")) return true;
    if (t.kind != kind::alias && t.kind != kind::qualified) return false;
    of.index = t.target;
  }
  return false;
}

bool is_constant(typed of) {
  for (int depth = 0; depth < types::deepest; ++depth) {
    const types::bare_type found = types::strip(*of.in, of.index);
    if (found.constant) return true;
    if (of.in->at(found.index).kind != kind::array) return false;
    of.index = of.in->at(found.index).target;
  }
  return false;
}

}  // namespace autoreload::state
