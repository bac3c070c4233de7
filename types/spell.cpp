// SPDX-License-Identifier: MIT
// spell: C declarators are read from the name outwards, so each step wraps the text made so far.
#include "types/spell.hpp"

namespace autoreload::types {

namespace {

std::string join(const std::string& base, const std::string& inner) {
  return inner.empty() ? base : base + " " + inner;
}

// A described type may contain itself, or so much that nobody would read it: after `left` steps it says `…`.
class speller {
 public:
  explicit speller(const description& in) : in_(in) {}

  std::string type(type_index index, std::string inner) {
    if (--left_ < 0) return join("…", inner);
    const types::type& t = in_.at(index);
    const kind target = in_.at(t.target).kind;
    switch (t.kind) {
      case kind::unknown: return join("?", inner);
      case kind::nothing:
      case kind::base:
      case kind::alias: return join(t.name, inner);
      case kind::structure:
      case kind::unite:
      case kind::enumeration: return join(spell_tag(t), inner);
      case kind::vector: return join(type(t.target, {}), "__vector(" + std::to_string(t.size) + ")" + inner);
      case kind::pointer:
        inner = (t.name.empty() ? "*" : t.name) + inner;
        if (target == kind::function || target == kind::array) inner = "(" + inner + ")";
        return type(t.target, std::move(inner));
      case kind::qualified:
        if (target == kind::pointer) return type(t.target, join(t.name, inner));
        return t.name + " " + type(t.target, std::move(inner));
      case kind::array: return type(t.target, inner + "[" + (t.complete ? std::to_string(t.size) : "") + "]");
      case kind::function: return type(t.target, inner + "(" + parameters(t) + ")");
    }
    return join("?", inner);
  }

  std::string parameters(const types::type& function) {
    std::string list;
    for (const member& parameter : function.members) {
      list += list.empty() ? "" : ", ";
      if (left_ <= 0) return list + "…";
      list += type(parameter.type, {});
    }
    if (function.variadic) list += list.empty() ? "..." : ", ...";
    return list.empty() ? "void" : list;
  }

 private:
  const description& in_;
  int left_ = 60;
};

}  // namespace

std::string spell(const description& in, type_index index, std::string_view name) {
  return speller(in).type(index, std::string(name));
}

std::string spell_parameters(const description& in, const type& function) {
  return "(" + speller(in).parameters(function) + ")";
}

std::string spell_tag(const type& of, std::string_view known_as) {
  const char* const keyword = of.kind == kind::structure ? "struct" : of.kind == kind::unite ? "union" : "enum";
  if (!of.name.empty()) return keyword + (" " + of.name);
  return known_as.empty() ? "unnamed " + std::string(keyword) : std::string(known_as);
}

}  // namespace autoreload::types
