// SPDX-License-Identifier: MIT
// passing: takes types apart into what registers and memory hold, and follows pointers to structs by a queue.
#include "guard/passing.hpp"

#include <algorithm>
#include <deque>
#include <set>
#include <utility>

#include "types/shape.hpp"
#include "types/spell.hpp"

namespace autoreload::types {

namespace {

constexpr std::size_t most_parts = 256;  // of one struct; of a larger one only the size is compared
constexpr int most_steps = 100'000;      // types looked at for one symbol

enum class bank : std::uint8_t { general, floating, vector };  // the registers that a part may come in

struct part {
  std::uint64_t offset;  // bits
  std::uint64_t bits;
  bank in;
  std::optional<type_index> pointee{};
};

struct parts {
  std::vector<part> list;
  bool known = true;  // false: the description leaves something open
};

bool compound(const type& t) { return t.kind == kind::structure || t.kind == kind::unite; }

class taken_apart {
 public:
  explicit taken_apart(const description& in) : in_(in) {}

  [[nodiscard]] parts of(type_index index) {
    parts into;
    add(index, 0, 0, 0, into);
    return into;
  }

  // Bytes; 0 for void and for what has none.
  [[nodiscard]] std::uint64_t size(type_index index, int depth = 0) const {
    const type& t = bare(index);
    switch (t.kind) {
      case kind::pointer:
      case kind::function: return sizeof(void*);
      case kind::array:
      case kind::vector: return depth < deepest && t.complete ? t.size * size(t.target, depth + 1) : 0;
      default: return t.size;
    }
  }

  [[nodiscard]] const type& bare(type_index index) const { return in_.at(strip(in_, index).index); }
  [[nodiscard]] bool open(type_index index) const {
    const type& t = bare(index);
    return t.kind == kind::unknown || !t.complete;
  }
  [[nodiscard]] bool gave_up() const { return steps_ > most_steps; }

 private:
  // @param bits  of a bit-field, else 0
  void add(type_index index, std::uint64_t offset, std::uint64_t bits, int depth, parts& into) {
    const type& t = bare(index);
    if (++steps_ > most_steps || depth > deepest || into.list.size() >= most_parts) {
      into.known = false;
      return;
    }
    const std::uint64_t whole = bits != 0 ? bits : t.size * 8;
    switch (t.kind) {
      case kind::nothing: return;
      case kind::unknown:
      case kind::unite: into.known = false; return;
      case kind::enumeration: into.list.push_back({offset, whole, bank::general}); return;
      case kind::pointer: into.list.push_back({offset, 8 * sizeof(void*), bank::general, t.target}); return;
      case kind::function: into.list.push_back({offset, 8 * sizeof(void*), bank::general, index}); return;
      case kind::vector: into.list.push_back({offset, size(index) * 8, bank::vector}); return;
      case kind::base:
        if (t.encoding == encoding::complex) {
          for (int half = 0; half < 2; ++half) {
            into.list.push_back({offset + static_cast<std::uint64_t>(half) * whole / 2, whole / 2, bank::floating});
          }
        } else if (whole != 0) {
          into.list.push_back({offset, whole, t.encoding == encoding::floating ? bank::floating : bank::general});
        }
        return;
      case kind::array:
        into.known &= t.size <= most_parts;
        for (std::uint64_t i = 0; into.known && t.complete && i < t.size; ++i) {
          add(t.target, offset + i * size(t.target) * 8, 0, depth + 1, into);
        }
        return;
      case kind::structure:
        into.known &= t.complete && (!t.members.empty() || t.size == 0);
        for (const member& m : t.members) add(m.type, offset + m.bit_offset, m.bit_size, depth + 1, into);
        return;
      default: into.known = false; return;
    }
  }

  const description& in_;
  int steps_ = 0;
};

class comparer {
 public:
  comparer(const description& was, const description& is) : was_in_(was), is_in_(is), was_(was), is_(is) {}

  crossing run(const symbol& before, const symbol& now) {
    crossing found;
    found.differs = now.function ? !same_call(before.type, now.type, before.written_in, now.written_in)
                                 : !same(before.type, now.type);
    for (; !waiting_.empty() && !was_.gave_up() && !is_.gave_up(); waiting_.pop_front()) {
      const auto [was, is] = waiting_.front();
      if (!same(was, is)) found.layouts.push_back({was, is, spell_tag(was_in_.at(was))});
    }
    return found;
  }

 private:
  bool same_call(type_index was_index, type_index is_index, language caller, language callee) {
    const type& was = was_.bare(was_index);
    const type& is = is_.bare(is_index);
    if (++calls_ > most_steps) return true;
    if (was.kind != kind::function || is.kind != kind::function) return true;
    // Only the description of such a language leaves out the lengths of texts, which a caller may pass behind the rest.
    const bool more_may_come = caller == language::by_reference || callee == language::by_reference;
    if (was.members.size() != is.members.size() && !more_may_come) return false;
    for (std::size_t i = 0; i < std::min(was.members.size(), is.members.size()); ++i) {
      if (!same_parameter(was.members[i].type, is.members[i].type, caller, callee)) return false;
    }
    // A caller that expects nothing doesn't look into the register.
    if (was_.bare(was.target).kind == kind::nothing && is_.size(is.target) <= sizeof(void*)) return true;
    return same(was.target, is.target);
  }

  // An array and a function are passed by their address; in some languages anything may be.
  bool same_parameter(type_index was, type_index is, language caller, language callee) {
    const auto by_address = [](kind k) { return k == kind::pointer || k == kind::array || k == kind::function; };
    const type& a = was_.bare(was);
    const type& b = is_.bare(is);
    const auto pointee = [](const type& t, type_index index) {
      return t.kind == kind::pointer || t.kind == kind::array ? t.target : index;
    };
    const bool may_be_address = (by_address(a.kind) && callee == language::by_reference) ||
                                (by_address(b.kind) && caller == language::by_reference);
    if ((by_address(a.kind) && by_address(b.kind)) || may_be_address) {
      return same_pointee(pointee(a, was), pointee(b, is));
    }
    if (a.kind == kind::array || a.kind == kind::function) return is_.open(is) || is_.size(is) == sizeof(void*);
    if (b.kind == kind::array || b.kind == kind::function) return was_.open(was) || was_.size(was) == sizeof(void*);
    return same(was, is);
  }

  bool same(type_index was, type_index is) {
    if (was_.open(was) || is_.open(is)) return true;
    if (was_.size(was) != is_.size(is)) return false;
    const parts a = was_.of(was);
    const parts b = is_.of(is);
    if (!a.known || !b.known) return true;
    if (a.list.size() != b.list.size()) return false;
    for (std::size_t i = 0; i < a.list.size(); ++i) {
      const part& p = a.list[i];
      const part& q = b.list[i];
      if (p.offset != q.offset || p.bits != q.bits || p.in != q.in) return false;
      if (p.pointee && q.pointee && !same_pointee(*p.pointee, *q.pointee)) return false;
    }
    return true;
  }

  // Bytes and untyped memory may hold anything, a lone value may be the first of several, and a struct waits for its
  // turn. Functions are compared at once: each step goes one declaration deeper, and deep ones are nonsense.
  bool same_pointee(type_index was, type_index is) {
    const type* a = &was_.bare(was);
    const type* b = &is_.bare(is);
    for (int i = 0; a->kind == kind::array && i < deepest; ++i) a = &was_.bare(was = a->target);
    for (int i = 0; b->kind == kind::array && i < deepest; ++i) b = &is_.bare(is = b->target);
    if (compound(*a) && compound(*b)) {
      const std::pair both{strip(was_in_, was).index, strip(is_in_, is).index};
      if (a->complete && b->complete && seen_.insert(both).second) waiting_.push_back(both);
      return true;
    }
    if (a->kind == kind::function && b->kind == kind::function) {
      if (++depth_ > deepest) return true;
      // Some compilers (ldc) leave the parameters of such a type out.
      const bool described = !a->members.empty() && !b->members.empty();
      const bool agree = !described || same_call(was, is, language::c, language::c);
      --depth_;
      return agree;
    }
    const auto value = [](const type& t) { return t.kind == kind::base && t.size > 1; };
    return !value(*a) || !value(*b) || same(was, is);
  }

  const description& was_in_;
  const description& is_in_;
  taken_apart was_;
  taken_apart is_;
  std::set<std::pair<type_index, type_index>> seen_;
  std::deque<std::pair<type_index, type_index>> waiting_;
  int depth_ = 0;
  int calls_ = 0;
};

}  // namespace

crossing cross_languages(const description& was, const symbol& before, const description& is, const symbol& now) {
  return comparer(was, is).run(before, now);
}

}  // namespace autoreload::types
