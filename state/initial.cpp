// SPDX-License-Identifier: MIT
// initial: compares what both files start with, after relocation: a pointer by what it leads to and not by its address.
#include "state/initial.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <iterator>
#include <utility>

#include "state/convert.hpp"
#include "state/step_run.hpp"

namespace autoreload::state {

namespace {

class comparer {
 public:
  comparer(const matches::pair& variable, const side& was, const side& is, translator& places)
      : v_(variable), was_(was), is_(is), places_(places) {}

  std::vector<edited> run(std::vector<step>& steps) {
    std::vector<step> kept;
    for (step& s : steps) refine(std::move(s), kept);
    steps = std::move(kept);
    return std::move(edited_);
  }

 private:
  void refine(step s, std::vector<step>& kept) {
    if (s.optional || same(s, 0, 0)) {
      kept.push_back(std::move(s));
      return;
    }
    if (s.what == action::repeat || s.what == action::copy) {
      if (elements_of(*was_.types, s) > 1) {
        auto halves = halve(*was_.types, s);
        refine(std::move(halves.first), kept);
        refine(std::move(halves.second), kept);
        return;
      }
      std::vector<step> parts = s.what == action::repeat ? unrolled(s) : split(*was_.types, *is_.types, s);
      for (step& part : parts) refine(std::move(part), kept);
      if (!parts.empty()) return;
    }
    const bool element = s.what == action::copy && typed{was_.types.get(), s.was}.bare().type().kind == kind::array;
    edited_.push_back({element ? s.path + "[" + std::to_string(s.first) + "]" : s.path, s.from, size_of_old(s)});
  }

  std::uint64_t size_of_old(const step& s) const {
    if (s.what == action::copy) return s.size;
    return s.what == action::follow ? sizeof(void*) : s.from_format.size;
  }

  [[nodiscard]] bool empty(const step& s, std::uint64_t from, std::uint64_t to, std::uint64_t was_size,
                           std::uint64_t is_size) const {
    const auto a = locate(*v_.was, s.from + from, was_size);
    const auto b = locate(*v_.is, s.to + to, is_size);
    return a && b && was_.file->starts_empty(*a, was_size) && is_.file->starts_empty(*b, is_size);
  }

  [[nodiscard]] bool same(const step& s, std::uint64_t from, std::uint64_t to) {
    switch (s.what) {
      case action::copy: return same_copy(s, from, to);
      case action::follow: return same_pointer(s.from + from, s.to + to, s.was);
      case action::repeat: break;
      default: return same_number(s, from, to);
    }
    // Where both are all zero one element stands for all.
    const bool zero = s.size != 0 && empty(s, from, to, s.size * s.from_stride, s.size * s.to_stride);
    for (std::uint64_t i = 0; i < (zero ? 1 : s.size); ++i) {
      for (const step& inner : s.body) {
        if (!same(inner, from + s.from + i * s.from_stride, to + s.to + i * s.to_stride)) return false;
      }
    }
    return true;
  }

  [[nodiscard]] bool same_copy(const step& s, std::uint64_t from, std::uint64_t to) const {
    if (empty(s, from, to, s.size, s.size)) return true;
    constexpr std::size_t portion = 4096;
    std::array<std::byte, portion> a;
    std::array<std::byte, portion> b;
    std::array<bool, portion> in_a;
    std::array<bool, portion> in_b;
    for (std::uint64_t done = 0; done < s.size; done += portion) {
      const std::size_t part = std::min<std::uint64_t>(portion, s.size - done);
      initial_bytes(was_, *v_.was, s.from + from + done, {a.data(), part}, {in_a.data(), part});
      initial_bytes(is_, *v_.is, s.to + to + done, {b.data(), part}, {in_b.data(), part});
      for (std::size_t i = 0; i < part; ++i) {
        if (in_a[i] && in_b[i] && a[i] != b[i]) return false;
      }
    }
    return true;
  }

  // In either direction: 0.1f is the initial value of a float that became a double of 0.1.
  [[nodiscard]] bool same_number(const step& s, std::uint64_t from, std::uint64_t to) const {
    std::array<std::byte, 32> a{};
    std::array<std::byte, 32> b{};
    const std::size_t a_size = bytes_of(s.from_format);
    const std::size_t b_size = bytes_of(s.to_format);
    if (!initial_bytes(was_, *v_.was, s.from + from, {a.data(), a_size})) return true;
    if (!initial_bytes(is_, *v_.is, s.to + to, {b.data(), b_size})) return true;
    std::array<std::byte, 32> made = b;
    if (carry_number(s, a.data(), made.data()) && made == b) return true;
    if (s.what == action::choose) return false;
    step back = s;
    std::swap(back.from_format, back.to_format);
    made = a;
    return carry_number(back, b.data(), made.data()) && made == a;
  }

  [[nodiscard]] bool same_pointer(std::uint64_t from, std::uint64_t to, type_index pointee) {
    const auto a = locate(*v_.was, from, sizeof(void*));
    const auto b = locate(*v_.is, to, sizeof(void*));
    if (!a || !b) return true;
    const reference* const before = was_.file->relocation(*a);
    const reference* const now = is_.file->relocation(*b);
    if (before == nullptr || now == nullptr) {
      std::uint64_t x = 0;
      std::uint64_t y = 0;
      if (before != nullptr || now != nullptr) return false;
      return was_.file->initial(*a, std::as_writable_bytes(std::span(&x, 1))) &&
             is_.file->initial(*b, std::as_writable_bytes(std::span(&y, 1))) && x == y;
    }
    if (before->symbol.empty() && places_.is_shared(before->address, now->symbol, now->address)) return true;
    if (!before->symbol.empty() || !now->symbol.empty()) return *before == *now;
    return places_.find(before->address, pointee) == now->address || places_.same_text(before->address, now->address);
  }

  const matches::pair& v_;
  const side& was_;
  const side& is_;
  translator& places_;
  std::vector<edited> edited_;
};

}  // namespace

std::vector<edited> keep_edited(program& of, const matches::pair& variable, const side& was, const side& is,
                                translator& places) {
  return comparer(variable, was, is, places).run(of.steps);
}

}  // namespace autoreload::state
