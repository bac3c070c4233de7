// SPDX-License-Identifier: MIT
// initializer: C's rules, but for braces that are left out around an inner struct or array: here they must stand.
#include "initializer.hpp"

#include <algorithm>

#include "nearest.hpp"

namespace autoreload::command {

namespace {

using types::kind;

// Whether an element of an array can be a letter of a string.
bool takes_letter(type_index type, const node& string, const type_table& types) {
  return types.kind_of(type) == kind::base && types.is_integer(type) && types.size_of(type) == string.literal.unit;
}

// The member of the struct itself in which a bit lies: what follows without a name is the next one.
std::size_t member_at(const types::type& structure, std::uint64_t bit, const type_table& types) {
  for (std::size_t i = structure.members.size(); i-- > 0;) {
    const types::member& m = structure.members[i];
    const std::uint64_t bits = m.bit_size != 0 ? m.bit_size : types.size_of(m.type).value_or(0) * 8;
    if (bit >= m.bit_offset && bit - m.bit_offset < std::max<std::uint64_t>(bits, 1)) return i;
  }
  return structure.members.size();
}

void walk_designator(slot& at, const designator& step, const type_table& types) {
  const types::type& inside = types.bare_type(at.type);
  if (step.name.empty()) {
    if (inside.kind != kind::array) complain(step.where, "this is no array");
    if (step.index >= inside.size) complain(step.where, "the array has only " + std::to_string(inside.size));
    at = {inside.target, at.bit_offset + step.index * 8 * types.size_of(inside.target).value_or(0), 0};
    return;
  }
  if (!types.is_struct(at.type)) complain(step.where, "a \"" + types.spell(at.type) + "\" has no fields");
  const std::optional<found_field> field = types.field(at.type, step.name);
  if (!field) throw no_such_field(step.where, at.type, step.name, types);
  at = {field->type, at.bit_offset + field->bit_offset, field->bit_size};
}

void place_in_array(node& list, const types::type& array, const type_table& types) {
  const std::uint64_t bits = 8 * types.size_of(array.target).value_or(0);
  std::uint64_t next = 0;
  for (std::size_t i = 0; i < list.parts.size(); ++i) {
    slot at{list.type, 0, 0};
    const std::vector<designator>& path = list.designators[i];
    if (path.empty()) {
      if (next >= array.size) complain(list.parts[i]->where, "the array has only " + std::to_string(array.size));
      at = {array.target, next * bits, 0};
    } else {
      for (const designator& step : path) walk_designator(at, step, types);
      next = path[0].index;
    }
    list.slots.push_back(at);
    ++next;
  }
}

void place_in_struct(node& list, const types::type& structure, const type_table& types) {
  std::size_t next = 0;
  for (std::size_t i = 0; i < list.parts.size(); ++i) {
    slot at{list.type, 0, 0};
    const std::vector<designator>& path = list.designators[i];
    if (path.empty()) {
      const std::size_t end =
          structure.kind == kind::unite ? std::min<std::size_t>(structure.members.size(), 1) : structure.members.size();
      if (next >= end) {
        complain(list.parts[i]->where, "\"" + types.spell(list.type) + "\" has only " + std::to_string(end) +
                                           (end == 1 ? " field" : " fields"));
      }
      const types::member& m = structure.members[next];
      at = {m.type, m.bit_offset, m.bit_size};
    } else {
      std::uint64_t first = 0;
      for (const designator& step : path) {
        walk_designator(at, step, types);
        if (&step == path.data()) first = at.bit_offset;
      }
      next = member_at(structure, first, types);
    }
    list.slots.push_back(at);
    ++next;
  }
}

}  // namespace

std::uint64_t initializer_length(const node& list, type_index element, const type_table& types) {
  if (list.parts.size() == 1 && list.designators[0].empty() && list.parts[0]->kind == node_kind::string &&
      takes_letter(element, *list.parts[0], types)) {
    return list.parts[0]->text.size() / list.parts[0]->literal.unit + 1;
  }
  std::uint64_t next = 0;
  std::uint64_t length = 0;
  for (std::size_t i = 0; i < list.parts.size(); ++i) {
    if (!list.designators[i].empty()) next = list.designators[i][0].index;
    if (next > std::uint64_t{1} << 28) complain(list.parts[i]->where, "this is too far");
    length = std::max(length, ++next);
  }
  return length;
}

void place_parts(node& list, type_index type, type_table& types) {
  // A copy, for the table may grow meanwhile.
  const types::type bare = types.bare_type(type);  // NOLINT(performance-unnecessary-copy-initialization)
  list.type = type;
  list.slots.clear();
  switch (bare.kind) {
    case kind::array:
      if (list.parts.size() == 1 && list.designators[0].empty() && list.parts[0]->kind == node_kind::string &&
          takes_letter(bare.target, *list.parts[0], types)) {
        list.slots.push_back({type, 0, 0});
        return;
      }
      return place_in_array(list, bare, types);
    case kind::structure:
    case kind::unite:
      if (!bare.complete) complain(list.where, "the fields of \"" + types.spell(type) + "\" are not known");
      return place_in_struct(list, bare, types);
    default:
      if (list.parts.size() > 1 || (!list.parts.empty() && !list.designators[0].empty())) {
        complain(list.where, "a \"" + types.spell(type) + "\" takes one value");
      }
      if (!list.parts.empty()) list.slots.push_back({type, 0, 0});
  }
}

bool fills_array(const node& string, type_index type, const type_table& types) {
  const types::type& array = types.bare_type(type);
  if (array.kind != kind::array || !takes_letter(array.target, string, types)) return false;
  if (string.text.size() / string.literal.unit > array.size) {
    complain(string.where,
             "the array has only " + std::to_string(array.size) + (string.literal.unit == 1 ? " bytes" : " elements"));
  }
  return true;
}

complaint no_such_field(place where, type_index structure, const std::string& name, const type_table& types) {
  complaint wrong{"\"" + types.spell(types.bare(structure)) + "\" has no field \"" + name + "\"", where};
  std::vector<std::string> names;
  for (const types::field& f : types::fields_of(types.all(), types.bare(structure))) names.emplace_back(f.name);
  const std::string nearest = nearest_name(name, names);
  if (!nearest.empty()) {
    wrong.notes.push_back("did you mean \"" + nearest + "\"?");
  } else if (!names.empty()) {
    std::string list;
    for (std::size_t i = 0; i < std::min<std::size_t>(names.size(), 12); ++i) list += (i == 0 ? "" : ", ") + names[i];
    wrong.notes.push_back("it has " + list + (names.size() > 12 ? ", …" : ""));
  }
  return wrong;
}

}  // namespace autoreload::command
