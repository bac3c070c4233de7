// SPDX-License-Identifier: MIT
// weigh: first types as such, then the layouts of those that have one.
#include "guard/weigh.hpp"

#include <algorithm>
#include <iterator>
#include <unordered_map>
#include <unordered_set>

#include "types/spell.hpp"

namespace autoreload::types {

namespace {

constexpr std::size_t longest_list = 6;      // remarks about one struct
constexpr std::size_t letters_per_step = 8;  // to write a type takes time, too

bool integer(const type& t) {
  return t.kind == kind::base && (t.encoding == encoding::signed_integer || t.encoding == encoding::unsigned_integer);
}

outcome weigh_kinds(const type& a, const type& b, bool result) {
  const bool number_and_enum =
      (integer(a) && b.kind == kind::enumeration) || (a.kind == kind::enumeration && integer(b));
  if (number_and_enum && a.size == b.size) return outcome::alike;
  // A caller that expects nothing doesn't look into the register.
  const bool in_register = b.kind == kind::base || b.kind == kind::pointer || b.kind == kind::enumeration;
  if (result && a.kind == kind::nothing && in_register) return outcome::alike;
  return outcome::different;
}

std::string offset_text(std::uint64_t bits) {
  return std::to_string(bits / 8) + (bits % 8 != 0 ? " bit " + std::to_string(bits % 8) : "");
}

std::string join(const std::vector<std::string>& list) {
  std::string text;
  for (std::size_t i = 0; i < std::min(list.size(), longest_list); ++i) text += (i == 0 ? "" : ", ") + list[i];
  if (list.size() > longest_list) text += ", and " + std::to_string(list.size() - longest_list) + " more changes";
  return text;
}

template <class T>
std::unordered_map<std::string_view, const T*> by_name(const std::vector<T>& list) {
  std::unordered_map<std::string_view, const T*> map;
  for (const T& entry : list) map.emplace(entry.name, &entry);
  return map;
}

}  // namespace

// --- words ---------------------------------------------------------------------------------------

std::string scales::change(const std::string& was, const std::string& is) const {
  if (was == is) return "a type in " + was + " changed under the same name";
  return host_ ? was + " in the host, " + is + " in the library" : was + " became " + is;
}

std::string scales::renamed(const std::string& was, std::string_view is) const {
  return was + " is called " + std::string(is) + (host_ ? " in the library" : " now");
}

std::string scales::removed(const std::string& what) const {
  return what + (host_ ? " is missing in the library" : " removed");
}

bool scales::excepted(std::string_view name) const { return std::ranges::find(exceptions_, name) != exceptions_.end(); }

// --- types ---------------------------------------------------------------------------------------

outcome scales::parameters(const type& was, const type& is, weighed& into) {
  if (was.members.size() != is.members.size() || was.variadic != is.variadic) return outcome::different;
  outcome found = outcome::same;
  for (std::size_t i = 0; i < was.members.size(); ++i) {
    found = worse(found, weigh(was.members[i].type, is.members[i].type, position::parameter, 0, {}, into));
  }
  return found;
}

outcome scales::result(const type& was, const type& is, weighed& into) {
  return weigh(was.target, is.target, position::result, 0, {}, into);
}

outcome scales::variable(type_index was, type_index is, weighed& into) {
  const bare_type w = strip(was_, was);
  const bare_type i = strip(is_, is);
  if (i.constant && !w.constant) return outcome::different;  // it moved to memory that can't be written
  const type& a = was_.at(w.index);
  const type& b = is_.at(i.index);
  if (a.kind == kind::array && b.kind == kind::array && a.size < b.size) {
    return worse(outcome::alike, weigh(a.target, b.target, position::within, 0, {}, into));
  }
  return weigh(was, is, position::within, 0, {}, into);
}

outcome scales::weigh(type_index was, type_index is, position at, int depth, std::string_view place, weighed& into) {
  if (depth > deepest || ++steps_ > most_steps) return outcome::same;
  const type& was_named = was_.at(was);
  const type& is_named = is_.at(is);
  if (was_named.kind == is_named.kind && was_named.name == is_named.name) {
    if (was_named.kind == kind::alias) return weigh_alias(was_named, is_named, at, depth, into);
    // A typedef under a qualifier (`const id`) is still the same typedef.
    if (was_named.kind == kind::qualified) return weigh(was_named.target, is_named.target, at, depth + 1, place, into);
  }
  const bare_type w = strip(was_, was);
  const bare_type i = strip(is_, is);
  const type& a = was_.at(w.index);
  const type& b = is_.at(i.index);
  if (a.kind == kind::unknown || b.kind == kind::unknown) return outcome::same;
  if (w.atomic != i.atomic) return outcome::different;
  if (a.kind != b.kind) return weigh_kinds(a, b, at == position::result);
  switch (a.kind) {
    case kind::base: return a.size == b.size && a.encoding == b.encoding ? outcome::same : outcome::different;
    case kind::pointer: return weigh_pointees(a.target, b.target, at, depth, into);
    case kind::array:
    case kind::vector:
      if (a.complete && b.complete && a.size != b.size) return outcome::different;
      return weigh(a.target, b.target, position::within, depth + 1, place, into);
    case kind::function: return weigh_function(a, b, depth, into);
    case kind::structure:
    case kind::unite:
    case kind::enumeration: return weigh_compounds(w, i, place, depth, into);
    default: return outcome::same;
  }
}

// A difference below a typedef belongs to the typedef, not to everybody who uses it.
outcome scales::weigh_alias(const type& was, const type& is, position at, int depth, weighed& into) {
  const outcome found = weigh(was.target, is.target, at, depth + 1, was.name, into);
  const std::string before = spell(was_, was.target);
  const std::string now = spell(is_, is.target);
  steps_ += (before.size() + now.size()) / letters_per_step;
  if ((found == outcome::same && (before == now || host_)) || excepted(was.name)) return outcome::same;
  const bool breaks = found == outcome::different;
  into.said.push_back(
      {breaks, was.name, was.name + ": " + change(before, now) + (breaks ? "" : ", the same to a caller")});
  return outcome::same;
}

outcome scales::weigh_pointees(type_index was, type_index is, position at, int depth, weighed& into) {
  const bare_type w = strip(was_, was);
  const bare_type i = strip(is_, is);
  const type& a = was_.at(w.index);
  const type& b = is_.at(i.index);
  const bool may_be_written_now = at == position::parameter && w.constant && !i.constant;
  const bool may_not_be_written_now = at == position::result && !w.constant && i.constant;
  if ((may_be_written_now || may_not_be_written_now) && a.kind != kind::function) return outcome::different;
  if (a.kind != b.kind && (a.kind == kind::nothing || b.kind == kind::nothing)) {
    return a.kind == kind::function || b.kind == kind::function ? outcome::different : outcome::alike;
  }
  if (integer(a) && integer(b) && a.size == 1 && b.size == 1) return outcome::same;  // bytes are bytes
  return weigh(was, is, position::within, depth + 1, {}, into);
}

outcome scales::weigh_function(const type& was, const type& is, int depth, weighed& into) {
  if (was.members.size() != is.members.size() || was.variadic != is.variadic) return outcome::different;
  outcome found = weigh(was.target, is.target, position::within, depth + 1, {}, into);
  for (std::size_t i = 0; i < was.members.size(); ++i) {
    found = worse(found, weigh(was.members[i].type, is.members[i].type, position::within, depth + 1, {}, into));
  }
  return found;
}

outcome scales::weigh_compounds(const bare_type& was, const bare_type& is, std::string_view place, int depth,
                                weighed& into) {
  const type& a = was_.at(was.index);
  const type& b = is_.at(is.index);
  const std::string_view was_name = a.name.empty() ? was.known_as : a.name;
  const std::string_view is_name = b.name.empty() ? is.known_as : b.name;
  const bool same_name = was_name == is_name || was_name.empty() || is_name.empty() ||
                         (!was.known_as.empty() && was.known_as == is.known_as);
  const std::string name = spell_tag(a, was.known_as.empty() ? place : was.known_as);
  if (!a.complete || !b.complete) {
    if (a.complete && same_name && !host_) {
      into.said.push_back({false, name, name + ": no longer defined where the library's debug information shows it"});
    }
    return same_name ? outcome::same : outcome::different;
  }
  if (same_name) {
    if (!excepted(name)) into.next.push_back({was.index, is.index, name});
    return outcome::same;
  }
  if (depth > deepest / 2) return outcome::different;
  weighed inside;  // counts only when the two are one struct under two names
  const remarks found = compare_layouts(was.index, is.index, name, depth + 1, inside);
  if (!found.breaking.empty() || !found.moved.empty()) return outcome::different;
  std::ranges::move(inside.said, std::back_inserter(into.said));
  std::ranges::move(inside.next, std::back_inserter(into.next));
  return outcome::alike;
}

// --- layouts -------------------------------------------------------------------------------------

weighed scales::layout(const layout_pair& of) {
  weighed into;
  if (gave_up()) return into;
  remarks found = compare_layouts(of.was, of.is, of.name, 0, into);
  std::ranges::move(found.moved, std::back_inserter(found.breaking));
  if (!found.breaking.empty()) into.said.push_back({true, of.name, of.name + ": " + join(found.breaking)});
  if (!found.harmless.empty()) into.said.push_back({false, of.name, of.name + ": " + join(found.harmless)});
  return into;
}

scales::remarks scales::compare_layouts(type_index was_index, type_index is_index, const std::string& name, int depth,
                                        weighed& into) {
  const type& was = was_.at(was_index);
  const type& is = is_.at(is_index);
  remarks found;
  if (was.size != is.size)
    found.breaking.push_back("size " + change(std::to_string(was.size), std::to_string(is.size)));
  if (was.kind == kind::enumeration) {
    compare_constants(was, is, found);
    return found;
  }
  const std::vector<field> before = fields_of(was_, was_index);
  const std::vector<field> now = fields_of(is_, is_index);
  steps_ += before.size() + now.size();
  compare_fields(before, now, was.size == is.size, name, depth, found, into);
  if (was.alignment != is.alignment) {
    steps_ += 1000;
    const std::uint64_t a = alignment_of(was_, was_index);
    const std::uint64_t b = alignment_of(is_, is_index);
    if (a != b) found.breaking.push_back("alignment " + change(std::to_string(a), std::to_string(b)));
  }
  return found;
}

void scales::compare_constants(const type& was, const type& is, remarks& found) const {
  // The compilers write the bits of a small unsigned value in different ways.
  const std::uint64_t mask =
      was.size >= 8 || was.size == 0 ? ~std::uint64_t{0} : (std::uint64_t{1} << (was.size * 8)) - 1;
  const auto bits = [mask](const member& m) { return static_cast<std::uint64_t>(m.value) & mask; };
  const auto before = by_name(was.members);
  const auto now = by_name(is.members);
  std::unordered_map<std::uint64_t, const member*> fresh;  // may be an old constant under another name
  for (const member& m : is.members) {
    if (!before.contains(m.name)) fresh.emplace(bits(m), &m);
  }
  std::unordered_set<const member*> taken;
  for (const member& m : was.members) {
    if (const auto there = now.find(m.name); there != now.end()) {
      if (bits(*there->second) == bits(m)) continue;
      found.breaking.push_back(m.name + " " + change(std::to_string(m.value), std::to_string(there->second->value)));
    } else if (const auto other = fresh.find(bits(m)); other != fresh.end()) {
      taken.insert(other->second);
      found.harmless.push_back(renamed(m.name, other->second->name));
    } else {
      found.breaking.push_back(removed(m.name));
    }
  }
  for (const member& m : is.members) {
    if (before.contains(m.name) || taken.contains(&m)) continue;
    found.harmless.push_back(m.name + (host_ ? " is unknown to the host" : " added"));
  }
}

void scales::compare_fields(const std::vector<field>& before, const std::vector<field>& now, bool same_size,
                            const std::string& name, int depth, remarks& found, weighed& into) {
  const auto was_named = by_name(before);
  const auto is_named = by_name(now);
  const auto place = [&](const field& f) { return name + "." + std::string(f.name); };
  std::unordered_multimap<std::uint64_t, const field*> fresh;  // may be an old field under another name
  for (const field& f : now) {
    if (!was_named.contains(f.name)) fresh.emplace(f.offset, &f);
  }
  std::unordered_set<const field*> taken;

  for (const field& f : before) {
    if (const auto there = is_named.find(f.name); there != is_named.end()) {
      compare_field(f, *there->second, place(f), depth, found, into);
      continue;
    }
    const std::string what = "field " + std::string(f.name);
    const auto [first, last] = fresh.equal_range(f.offset);
    const auto other = std::find_if(first, last, [&](const auto& candidate) {
      ++steps_;
      if (gave_up() || candidate.second->bits != f.bits || taken.contains(candidate.second)) return false;
      weighed inside;
      const outcome types = weigh(f.type, candidate.second->type, position::within, depth + 1, place(f), inside);
      if (types == outcome::different) return false;
      std::ranges::move(inside.said, std::back_inserter(into.said));
      std::ranges::move(inside.next, std::back_inserter(into.next));
      return true;
    });
    if (other != last) {
      taken.insert(other->second);
      found.harmless.push_back(renamed(what, other->second->name));
    } else {
      found.breaking.push_back(removed(what));
    }
  }
  for (const field& f : now) {
    if (was_named.contains(f.name) || taken.contains(&f)) continue;
    const std::string text = "field " + std::string(f.name) + (host_ ? " at offset " : " added at offset ") +
                             offset_text(f.offset) + (host_ ? " is unknown to the host" : "");
    // One more way to read the same bytes; the size says whether they are more than the caller has.
    (f.alternative && same_size ? found.harmless : found.breaking).push_back(text);
  }
}

void scales::compare_field(const field& was, const field& is, const std::string& place, int depth, remarks& found,
                           weighed& into) {
  const std::string what = "field " + std::string(was.name);
  if (was.offset != is.offset) {
    const std::string a = offset_text(was.offset);
    const std::string b = offset_text(is.offset);
    found.moved.push_back(host_ ? what + " at offset " + change(a, b) : what + " moved from offset " + a + " to " + b);
  }
  const auto spelled = [](const description& in, const field& of) {
    return spell(in, of.type) + (of.bits != 0 ? " : " + std::to_string(of.bits) : "");
  };
  const std::string a = spelled(was_, was);
  const std::string b = spelled(is_, is);
  steps_ += (a.size() + b.size()) / letters_per_step;
  const outcome types = weigh(was.type, is.type, position::within, depth + 1, place, into);
  if (types == outcome::different || was.bits != is.bits) {
    found.breaking.push_back(what + ": " + change(a, b));
  } else if (types == outcome::alike || (a != b && !host_)) {
    found.harmless.push_back(what + ": " + change(a, b) + ", the same to a caller");
  }
}

}  // namespace autoreload::types
