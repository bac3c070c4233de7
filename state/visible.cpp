// SPDX-License-Identifier: MIT
// visible: a host that never gets a pointer to a struct can't keep one.
#include "state/visible.hpp"

#include "types/spell.hpp"

namespace autoreload::state {

void visible_types::add(const description& in) {
  std::vector<type_index> waiting;
  std::set<type_index> seen;
  for (const types::code& c : in.functions) {
    if (c.type == 0) continue;
    waiting.push_back(c.type);
    const types::type& function = in.at(c.type);
    const auto any_object = [&](type_index index) {
      const typed bare = typed{&in, index}.bare();
      if (bare.type().kind != kind::pointer) return is_address({&in, index});
      const types::bare_type target = types::strip(in, bare.type().target);
      return in.at(target.index).kind == kind::nothing && !target.constant;
    };
    everything_ |= any_object(function.target);
    for (const types::member& m : function.members) everything_ |= any_object(m.type);
  }
  for (const types::variable& v : in.variables) {
    if (v.exported) waiting.push_back(v.type);
  }
  while (!waiting.empty()) {
    const type_index index = waiting.back();
    waiting.pop_back();
    if (!seen.insert(index).second) continue;
    const types::type& t = in.at(index);
    if (t.kind == kind::structure || t.kind == kind::unite) names_.insert(types::spell_tag(t));
    waiting.push_back(t.target);
    for (const types::member& m : t.members) waiting.push_back(m.type);
  }
}

std::vector<typed> visible_types::given_away(const description& in) {
  std::vector<typed> found;
  for (const types::code& c : in.functions) {
    if (c.type == 0 || in.at(c.type).kind != kind::function) continue;
    const auto add = [&](typed pointer) {
      if (pointer.bare().type().kind != kind::pointer) return;
      const typed pointee = pointer.bare().target();
      if (pointee.type().kind == kind::structure && pointee.type().complete) found.push_back(pointee);
    };
    add({&in, in.at(c.type).target});
    for (const types::member& m : in.at(c.type).members) {  // `int make(struct box **into)`
      const typed parameter = typed{&in, m.type}.bare();
      if (parameter.type().kind == kind::pointer && parameter.target().type().kind == kind::pointer) {
        add(parameter.target());
      }
    }
  }
  return found;
}

bool visible_types::has(typed of) const {
  const types::type& t = of.bare().type();
  return everything_ || t.name.empty() || names_.contains(types::spell_tag(t));
}

}  // namespace autoreload::state
