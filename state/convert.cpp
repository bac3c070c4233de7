// SPDX-License-Identifier: MIT
// convert: fields by their names, elements by their places, numbers by their values, constants by their names.
#include "state/convert.hpp"

#include <algorithm>
#include <iterator>
#include <map>
#include <string_view>
#include <utility>

#include "types/spell.hpp"

namespace autoreload::state {

namespace {

constexpr std::size_t most_steps = 200'000;

std::string element_name(std::uint64_t index) { return "[" + std::to_string(index) + "]"; }

// Inside a loop every element is `[]`.
void name_element(step& s, std::size_t at, std::uint64_t index) {
  if (s.path.compare(at, 2, "[]") == 0) s.path.replace(at, 2, element_name(index));
  for (step& inner : s.body) name_element(inner, at, index);
}

bool is_number(const types::type& t) { return t.kind == kind::base || t.kind == kind::enumeration; }

number_format format_of(const types::type& t, std::uint64_t bit_offset, std::uint64_t bit_size) {
  number_format made{t.encoding, t.size, bit_size != 0 ? bit_offset % 8 : 0, bit_size};
  if (t.kind == kind::enumeration) {
    const bool negative =
        std::any_of(t.members.begin(), t.members.end(), [](const types::member& m) { return m.value < 0; });
    made.encoding = negative ? types::encoding::signed_integer : types::encoding::unsigned_integer;
  }
  return made;
}

std::string spelled(typed of, std::uint64_t bits = 0) {
  return types::spell(*of.in, of.index) + (bits != 0 ? " : " + std::to_string(bits) : "");
}

class planner {
 public:
  planner(program& into, bool fine) : into_(into), fine_(fine) {}

  void value(typed was, typed is, step at, std::vector<step>& out, int depth = 0) {
    if (depth > types::deepest || ++steps_ > most_steps) return reset(at.path, "its type is too deep to be carried");
    const typed a = was.bare();
    const typed b = is.bare();
    const kind what = a.type().kind;
    at.was = was.index;
    at.is = is.index;
    if (is_address(was) || is_address(is) || (what == kind::pointer && b.type().kind == kind::pointer)) {
      return pointer(was, is, std::move(at), out);
    }
    const bool leaf =
        what != kind::structure && what != kind::unite && (what != kind::array || is_number(a.target().type()));
    if (what != kind::unite && (leaf || !fine_) && plain_and_same(a, b)) return copy(a, std::move(at), out);
    if (is_number(a.type()) && is_number(b.type())) return numeric(was, is, {}, {}, std::move(at), out);
    if (what == kind::structure && b.type().kind == kind::structure) return fields(a, b, at, out, depth);
    if (what == kind::array && b.type().kind == kind::array) return elements(a, b, std::move(at), out, depth);
    if (what == kind::unite && b.type().kind == kind::unite && same_bytes(a, b)) {
      copy(a, at, out);
      return pointers_of_union(a, b, at, out, depth);
    }
    if (what == kind::unite && b.type().kind == kind::unite) return reset(at.path, "the union has changed");
    changed_type(was, is, at.path);
  }

  void fields(typed a, typed b, const step& at, std::vector<step>& out, int depth) {
    if (!a.type().complete || !b.type().complete) return reset(at.path, "the debug information has not its layout");
    const std::vector<slot> before = slots_of(a);
    std::map<std::string_view, const slot*> named;
    for (const slot& s : before) named.emplace(s.name, &s);
    std::size_t found = 0;
    for (const slot& now : slots_of(b)) {
      const auto there = named.find(now.name);
      const std::string path = join(at.path, now.name);
      if (there == named.end()) {
        note(state_fate::converted, path, "is new and has its initial value");
        continue;
      }
      ++found;
      field(a, *there->second, b, now, at, path, out, depth);
      named.erase(there);
    }
    for (const slot& s : before) {
      if (named.contains(s.name)) note(state_fate::dropped, join(at.path, s.name), "the new build has no such field");
    }
  }

 private:
  void note(state_fate fate, const std::string& path, std::string text) {
    into_.remarks.push_back({fate, path, std::move(text)});
  }
  void reset(const std::string& path, std::string text) { note(state_fate::reset, path, std::move(text)); }
  void changed_type(typed was, typed is, const std::string& path) {
    reset(path, spelled(was) + " became " + spelled(is));
  }

  static void copy(typed a, step at, std::vector<step>& out) {
    at.what = action::copy;
    at.size = size_of(a);
    if (at.size != 0) out.push_back(std::move(at));
  }

  void field(typed a, const slot& was, typed b, const slot& is, const step& at, const std::string& path,
             std::vector<step>& out, int depth) {
    step next;
    next.from = at.from + was.bit_offset / 8;
    next.to = at.to + is.bit_offset / 8;
    next.path = path;
    const typed x{a.in, was.type};
    const typed y{b.in, is.type};
    if (was.bit_size == 0 && is.bit_size == 0) return value(x, y, std::move(next), out, depth + 1);
    if (!is_number(x.bare().type()) || !is_number(y.bare().type())) return changed_type(x, y, path);
    numeric(x, y, was, is, std::move(next), out);
  }

  void numeric(typed was, typed is, const slot& was_place, const slot& is_place, step at, std::vector<step>& out) {
    const std::uint64_t was_bits = was_place.bit_size;
    const std::uint64_t is_bits = is_place.bit_size;
    const types::type& a = was.bare().type();
    const types::type& b = is.bare().type();
    at.was = was.index;
    at.is = is.index;
    at.from_format = format_of(a, was_place.bit_offset, was_bits);
    at.to_format = format_of(b, is_place.bit_offset, is_bits);
    if (!is_readable(at.from_format) || !is_readable(at.to_format)) return changed_type(was, is, at.path);
    if (a.kind == kind::enumeration && b.kind == kind::enumeration) {
      at.choices = choices(a, at.from_format, b, at.to_format, at.unnamed_stay);
      at.what = at.choices ? action::choose : action::convert;
    } else {
      at.what = action::convert;
    }
    const bool same_kind = a.kind == b.kind && a.encoding == b.encoding && a.size == b.size && was_bits == is_bits;
    if (!same_kind) note(state_fate::converted, at.path, spelled(was, was_bits) + " became " + spelled(is, is_bits));
    out.push_back(std::move(at));
  }

  // Nothing when every old constant has its old value: then the values say the same, named or not.
  static std::shared_ptr<const std::vector<choice>> choices(const types::type& a, const number_format& from,
                                                            const types::type& b, const number_format& to,
                                                            bool& unnamed_stay) {
    std::map<std::string_view, std::int64_t> now;
    for (const types::member& m : b.members) now.emplace(m.name, m.value);
    auto list = std::make_shared<std::vector<choice>>();
    bool moved = false;
    unnamed_stay = true;
    for (const types::member& m : a.members) {
      const auto there = now.find(m.name);
      choice made{m.name, number_of(static_cast<std::uint64_t>(m.value), from), std::nullopt};
      if (there != now.end()) made.is = number_of(static_cast<std::uint64_t>(there->second), to);
      moved |= !made.is || !(*made.is == made.was);
      unnamed_stay &= !made.is || *made.is == made.was;
      list->push_back(std::move(made));
    }
    if (!moved) return nullptr;
    const auto zero = [](const types::member& m) { return m.value == 0; };  // what memory starts with, named or not
    if (!std::any_of(a.members.begin(), a.members.end(), zero) &&
        !std::any_of(b.members.begin(), b.members.end(), zero)) {
      list->push_back({"0", {}, number{}});
    }
    return list;
  }

  void pointer(typed was, typed is, step at, std::vector<step>& out) {
    if (size_of(was) != sizeof(void*) || size_of(is) != sizeof(void*)) return changed_type(was, is, at.path);
    at.what = action::follow;
    const typed a = was.bare();
    const typed b = is.bare();
    const bool typed_both = a.type().kind == kind::pointer && b.type().kind == kind::pointer;
    if (typed_both && !pointees_fit(a.target(), b.target())) return changed_type(was, is, at.path);
    at.was = typed_both ? a.type().target : 0;
    at.is = typed_both ? b.type().target : 0;
    out.push_back(std::move(at));
  }

  void elements(typed a, typed b, step at, std::vector<step>& out, int depth) {
    const typed x{a.in, a.type().target};
    const typed y{b.in, b.type().target};
    const std::uint64_t count = std::min(a.type().size, b.type().size);
    at.from_stride = size_of(x);
    at.to_stride = size_of(y);
    if (count == 0 || at.from_stride == 0 || at.to_stride == 0) return;
    const std::string path = std::exchange(at.path, at.path + "[]");
    if (plain_and_same(x, y) && is_number(x.bare().type())) {
      at.path = path;
      at.what = action::copy;
      at.size = count * at.from_stride;
      out.push_back(std::move(at));
    } else {
      step inner;
      inner.path = at.path;
      value(x, y, inner, at.body, depth + 1);
      at.path = path;
      at.what = action::repeat;
      at.size = count;
      at.was = a.type().target;
      at.is = b.type().target;
      std::vector<step> steps;
      if (fine_) steps = unrolled(at);
      if (!fine_ && !at.body.empty()) steps.push_back(std::move(at));
      std::move(steps.begin(), steps.end(), std::back_inserter(out));
    }
    if (a.type().size != b.type().size) {
      note(a.type().size < b.type().size ? state_fate::converted : state_fate::dropped, path,
           std::to_string(a.type().size) + " elements became " + std::to_string(b.type().size));
    }
  }

  // Which member of a union is meant at the moment nothing tells. A word that leads into the old build is a pointer.
  void pointers_of_union(typed a, typed b, const step& at, std::vector<step>& out, int depth) {
    planner inside(into_, false);
    std::vector<step> all;
    const std::vector<slot> before = slots_of(a);
    const std::vector<slot> now = slots_of(b);
    for (std::size_t i = 0; i < before.size() && i < now.size(); ++i) {
      step next;
      next.from = at.from + before[i].bit_offset / 8;
      next.to = at.to + now[i].bit_offset / 8;
      next.path = join(at.path, before[i].name);
      if (before[i].bit_size == 0) inside.value({a.in, before[i].type}, {b.in, now[i].type}, next, all, depth + 1);
    }
    keep_pointers(all);
    std::move(all.begin(), all.end(), std::back_inserter(out));
  }

  static void keep_pointers(std::vector<step>& steps) {
    for (step& s : steps) {
      s.optional = true;
      keep_pointers(s.body);
    }
    std::erase_if(
        steps, [](const step& s) { return s.what != action::follow && (s.what != action::repeat || s.body.empty()); });
  }

  program& into_;
  bool fine_;
  std::size_t steps_ = 0;
};

}  // namespace

bool follows_pointers(const std::vector<step>& steps) {
  return std::any_of(steps.begin(), steps.end(),
                     [](const step& s) { return s.what == action::follow || follows_pointers(s.body); });
}

std::string join(const std::string& path, const std::string& name) { return path.empty() ? name : path + "." + name; }

program convert(typed was, typed is, const std::string& path, bool fine) {
  program made;
  step at;
  at.path = path;
  planner(made, fine).value(was, is, std::move(at), made.steps);
  return made;
}

std::vector<step> split(const description& was, const description& is, const step& coarse) {
  std::vector<step> parts;
  const typed a = typed{&was, coarse.was}.bare();
  const typed b = typed{&is, coarse.is}.bare();
  program ignored;
  if (a.type().kind == kind::structure && b.type().kind == kind::structure) {
    planner(ignored, false).fields(a, b, coarse, parts, 0);
  } else if (a.type().kind == kind::array && b.type().kind == kind::array && !is_number(a.target().type())) {
    step only = coarse;  // it has one element
    only.was = a.type().target;
    only.is = b.type().target;
    only.path += element_name(coarse.first);
    parts.push_back(std::move(only));
  }
  return parts;
}

std::uint64_t elements_of(const description& was, const step& of) {
  if (of.what == action::repeat) return of.size;
  const typed whole = typed{&was, of.was}.bare();
  const std::uint64_t size = whole.type().kind == kind::array ? size_of(whole.target()) : 0;
  return size == 0 ? 1 : of.size / size;
}

std::pair<step, step> halve(const description& was, const step& whole) {
  std::pair<step, step> halves{whole, whole};
  auto& [first, second] = halves;
  const std::uint64_t count = elements_of(was, whole);
  const std::uint64_t unit = whole.size / count;  // 1 of a repeat, an element's bytes of a copy
  const std::uint64_t taken = count / 2;
  first.size = taken * unit;
  second.size = whole.size - first.size;
  second.first += taken;
  second.from += taken * (whole.what == action::repeat ? whole.from_stride : unit);
  second.to += taken * (whole.what == action::repeat ? whole.to_stride : unit);
  return halves;
}

std::vector<step> unrolled(const step& loop) {
  std::vector<step> steps;
  for (std::uint64_t i = 0; i < loop.size && steps.size() < most_steps; ++i) {
    for (step inner : loop.body) {
      inner.from += loop.from + i * loop.from_stride;
      inner.to += loop.to + i * loop.to_stride;
      name_element(inner, loop.path.size(), loop.first + i);
      steps.push_back(std::move(inner));
    }
  }
  return steps;
}

}  // namespace autoreload::state
