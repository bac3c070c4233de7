// SPDX-License-Identifier: MIT
// evaluate: each function is a kind of node; calls are in invoke.cpp.
#include "evaluate.hpp"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <new>

#include "bits.hpp"
#include "initializer.hpp"
#include "typing.hpp"

namespace autoreload::command {

std::vector<value> evaluator::run(const node& checked, std::size_t shown) {
  fresh_.clear();
  std::vector<value> values;
  const bool array = types_.kind_of(checked.type) == types::kind::array;
  if (types_.is_void(checked.type)) {
    evaluate(checked);
  } else if (array) {  // shown whole, and not as the pointer that it becomes in an expression
    const location at = locate(checked);
    values.push_back({checked.type, read(checked, at.address, types_.size_of(checked.type).value_or(0))});
  } else {
    values.push_back(evaluate(checked));
  }
  for (const auto& [type, address] : fresh_) {
    values.push_back({type, read(checked, address, types_.size_of(type).value_or(0))});
  }
  values.resize(shown);
  earlier_.insert(earlier_.end(), values.begin(), values.end());
  return values;
}

value evaluator::make(type_index type, const number& of) {
  return {type, store(of, types_.which(type).value_or(basic::integer))};
}

value evaluator::pointer(type_index type, std::uint64_t to) {
  value made{type, std::vector<std::byte>(sizeof to)};
  std::memcpy(made.bytes.data(), &to, sizeof to);
  return made;
}

std::uint64_t evaluator::address_in(const value& from) {
  std::uint64_t address = 0;
  std::memcpy(&address, from.bytes.data(), std::min(from.bytes.size(), sizeof address));
  return address;
}

number evaluator::number_of(const value& from) {
  if (types_.is_pointer(from.type)) return {.whole = address_in(from)};
  return load(from.bytes, types_.which(from.type).value_or(basic::integer));
}

value evaluator::converted(const value& from, type_index to) {
  if (types_.is_void(to)) return {to, {}};
  if (types_.is_struct(to)) return {to, from.bytes};
  if (types_.is_pointer(to)) {
    return pointer(to, static_cast<std::uint64_t>(convert(number_of(from), basic::unsigned_long).whole));
  }
  return make(to, number_of(from));
}

value evaluator::evaluate_as(const node& n, type_index to) { return converted(evaluate(n), to); }

bool evaluator::truth(const node& n) { return is_true(number_of(evaluate(n))); }

std::uint64_t evaluator::keep(const value& object) {
  const std::uint64_t address = objects_.make(object.bytes.size(), types_.alignment_of(object.type));
  if (!write_memory(address, object.bytes)) throw std::bad_alloc();
  return address;
}

std::vector<std::byte> evaluator::read(const node& n, std::uint64_t address, std::size_t size) {
  if (std::optional<std::vector<std::byte>> bytes = read_memory(address, size)) return *std::move(bytes);
  char text[64];
  std::snprintf(text, sizeof text, "%zu byte%s at 0x%llx can't be read", size, size == 1 ? "" : "s",
                static_cast<unsigned long long>(address));
  complain(n.where, address < 4096 ? "this is NULL, or next to it: " + std::string(text) : text);
}

value evaluator::load_object(const node& n, const location& from, type_index type) {
  const std::uint64_t size = types_.size_of(type).value_or(0);
  if (from.bit_size == 0) return {type, read(n, from.address, size)};
  const std::uint64_t first = from.bit_offset / 8;
  const std::uint64_t last = (from.bit_offset + from.bit_size - 1) / 8;
  const std::vector<std::byte> bytes = read(n, from.address + first, last - first + 1);
  const bool negative = is_true(load(store({.whole = -1}, *types_.which(type)), *types_.which(type))) &&
                        load(store({.whole = -1}, *types_.which(type)), *types_.which(type)).whole < 0;
  return make(type, {.whole = take_bits(bytes, from.bit_offset % 8, from.bit_size, negative)});
}

void evaluator::store_object(const node& n, const location& to, const value& from) {
  bool done = false;
  if (to.bit_size == 0) {
    done = write_memory(to.address, from.bytes);
  } else {
    const std::uint64_t first = to.bit_offset / 8;
    const std::uint64_t last = (to.bit_offset + to.bit_size - 1) / 8;
    std::vector<std::byte> bytes = read(n, to.address + first, last - first + 1);
    put_bits(bytes, to.bit_offset % 8, to.bit_size, number_of(from).whole);
    done = write_memory(to.address + first, bytes);
  }
  if (!done) {
    char text[64];
    std::snprintf(text, sizeof text, "0x%llx can't be written", static_cast<unsigned long long>(to.address));
    complain(n.where, text);
  }
}

std::uint64_t evaluator::symbol(const node& n) {
  void* const found = around_.address_of(n.text);
  if (found == nullptr) complain(n.where, "the library does not export \"" + n.text + "\"");
  return reinterpret_cast<std::uintptr_t>(found);
}

location evaluator::locate(const node& n) {
  switch (n.kind) {
    case node_kind::name: return {symbol(n)};
    case node_kind::string: {
      value bytes{n.type, std::vector<std::byte>(n.text.size() + n.literal.unit)};
      std::memcpy(bytes.bytes.data(), n.text.data(), n.text.size());
      return {keep(bytes)};
    }
    case node_kind::earlier: return {keep(earlier_[n.literal.whole - 1])};
    case node_kind::unary:
      if (n.text == "*") return {address_in(evaluate(*n.parts[0]))};
      break;
    case node_kind::index: {
      const std::uint64_t base = address_in(evaluate(*n.parts[0]));
      const wide position = number_of(evaluate(*n.parts[1])).whole;
      return {base + static_cast<std::uint64_t>(position) * types_.size_of(n.type).value_or(0)};
    }
    case node_kind::member: {
      const node& part = *n.parts[0];
      const std::uint64_t base = n.through_pointer ? address_in(evaluate(part)) : locate(part).address;
      const slot& at = n.slots[0];
      if (at.bit_size != 0) return {base, at.bit_offset, at.bit_size};
      return {base + at.bit_offset / 8};
    }
    case node_kind::literal: {
      value object{n.type, std::vector<std::byte>(types_.size_of(n.type).value_or(0))};
      fill(object.bytes, *n.parts[0]);
      return {keep(object)};
    }
    default: break;
  }
  return {keep(evaluate(n))};  // a struct that a function returned
}

value evaluator::evaluate(const node& n) {
  switch (n.kind) {
    case node_kind::whole:
    case node_kind::character: return make(n.type, {.whole = static_cast<wide>(n.literal.whole)});
    case node_kind::real: return make(n.type, {.is_whole = false, .real = n.literal.real});
    case node_kind::size_of:
    case node_kind::align_of: return make(n.type, {.whole = n.constant});
    case node_kind::fresh: {
      const std::uint64_t size = types_.size_of(types_.target(n.type)).value_or(0);
      const std::uint64_t address = objects_.make(size, types_.alignment_of(types_.target(n.type)));
      fresh_.emplace_back(types_.target(n.type), address);
      return pointer(n.type, address);
    }
    case node_kind::name:
      if (n.role == name_role::constant) {
        if (types_.is_pointer(n.type)) return pointer(n.type, 0);
        return make(n.type, {.whole = n.constant});
      }
      break;
    case node_kind::unary:
      if (n.text != "*") return unary(n);
      break;
    case node_kind::step_after: return step(n);
    case node_kind::binary: return binary(n);
    case node_kind::conditional: return evaluate_as(truth(*n.parts[0]) ? *n.parts[1] : *n.parts[2], n.common);
    case node_kind::call: return call(n);
    case node_kind::cast: return evaluate_as(*n.parts[0], n.type);
    case node_kind::assign: {
      const node& left = *n.parts[0];
      const location to = locate(left);
      const bool plain = n.text == "=";
      const value right = evaluate(*n.parts[1]);
      const std::string_view sign = std::string_view(n.text).substr(0, n.text.size() - 1);
      const value made =
          converted(plain ? right : combine(n, load_object(left, to, left.type), sign, right, left.type), left.type);
      store_object(left, to, made);
      return load_object(left, to, left.type);
    }
    default: break;
  }
  const types::kind kind = types_.kind_of(n.type);
  if (kind == types::kind::function) {
    return pointer(value_type(n, types_), n.kind == node_kind::name ? symbol(n) : address_in(evaluate(*n.parts[0])));
  }
  const location at = locate(n);
  if (kind == types::kind::array) return pointer(value_type(n, types_), at.address);
  return load_object(n, at, n.type);
}

value evaluator::unary(const node& n) {
  const node& part = *n.parts[0];
  if (n.text == "++" || n.text == "--") return step(n);
  if (n.text == "&") {
    if (types_.kind_of(part.type) == types::kind::function) return pointer(n.type, address_in(evaluate(part)));
    return pointer(n.type, locate(part).address);
  }
  if (n.text == "!") return make(n.type, {.whole = truth(part) ? 0 : 1});
  const value of = evaluate_as(part, n.type);
  const basic as = types_.which(n.type).value_or(basic::integer);
  number made = number_of(of);
  if (n.text == "-" && made.is_whole) made.whole = static_cast<wide>(-static_cast<unsigned_wide>(made.whole));
  if (n.text == "-" && !made.is_whole) made = {.is_whole = false, .real = -made.real, .imaginary = -made.imaginary};
  if (n.text == "~") made.whole = ~made.whole;
  return {n.type, store(made, as)};
}

// ++ and --, before or after.
value evaluator::step(const node& n) {
  const node& part = *n.parts[0];
  const location at = locate(part);
  const value before = load_object(part, at, part.type);
  const value one = make(types_.of(basic::integer), {.whole = 1});
  const value after = converted(combine(n, before, n.text == "++" ? "+" : "-", one, part.type), part.type);
  store_object(part, at, after);
  return n.kind == node_kind::step_after ? before : load_object(part, at, part.type);
}

value evaluator::binary(const node& n) {
  if (n.text == "&&") return make(n.type, {.whole = truth(*n.parts[0]) && truth(*n.parts[1]) ? 1 : 0});
  if (n.text == "||") return make(n.type, {.whole = truth(*n.parts[0]) || truth(*n.parts[1]) ? 1 : 0});
  const value left = evaluate(*n.parts[0]);
  const value right = evaluate(*n.parts[1]);
  return combine(n, left, n.text, right, n.type);
}

value evaluator::combine(const node& n, const value& left, std::string_view sign, const value& right, type_index type) {
  const bool pointer_left = types_.is_pointer(left.type);
  const bool pointer_right = types_.is_pointer(right.type);
  if ((sign == "+" || sign == "-") && (pointer_left || pointer_right)) {
    const type_index target = types_.target(pointer_left ? left.type : right.type);
    const auto size = static_cast<std::int64_t>(types_.size_of(target).value_or(1));
    if (pointer_left && pointer_right) {
      const auto distance = static_cast<std::int64_t>(address_in(left) - address_in(right));
      return make(type, {.whole = size == 0 ? 0 : distance / size});
    }
    const wide count = number_of(pointer_left ? right : left).whole;
    const auto by = static_cast<std::uint64_t>(count) * static_cast<std::uint64_t>(size);
    const std::uint64_t base = address_in(pointer_left ? left : right);
    return pointer(type, sign == "+" ? base + by : base - by);
  }
  // ++ and -- have no `common` of their own.
  basic common = types_.which(n.common).value_or(basic::integer);
  if (n.common == 0) common = std::max(basic::integer, types_.which(left.type).value_or(basic::integer));
  const std::optional<number> made = calculate(number_of(left), sign, number_of(right), common);
  if (!made) complain(n.where, sign == "<<" || sign == ">>" ? "this shifts by too much" : "this divides by 0");
  const bool compares = types_.which(type) == basic::integer && n.common != 0 && n.kind == node_kind::binary;
  return compares ? make(type, *made) : value{types_.of(common), store(*made, common)};
}

void evaluator::put(std::vector<std::byte>& object, const slot& at, const value& from) {
  const std::uint64_t first = at.bit_offset / 8;
  const std::uint64_t size = at.bit_size != 0 ? (at.bit_offset % 8 + at.bit_size + 7) / 8 : from.bytes.size();
  if (first > object.size() || size > object.size() - first) return;  // debug information that is nonsense
  const std::span<std::byte> part = std::span(object).subspan(first, size);
  if (at.bit_size != 0) {
    put_bits(part, at.bit_offset % 8, at.bit_size, number_of(from).whole);
  } else {
    std::ranges::copy(from.bytes, part.begin());
  }
}

void evaluator::fill(std::vector<std::byte>& object, const node& list) {
  for (std::size_t i = 0; i < list.parts.size(); ++i) {
    const node& part = *list.parts[i];
    const slot& at = list.slots[i];
    value made{at.type, {}};
    if (part.kind == node_kind::braces) {
      made.bytes.resize(types_.size_of(at.type).value_or(0));
      fill(made.bytes, part);
    } else if (part.kind == node_kind::string && fills_array(part, at.type, types_)) {
      made.bytes.resize(types_.size_of(at.type).value_or(0));
      std::memcpy(made.bytes.data(), part.text.data(), std::min(made.bytes.size(), part.text.size()));
    } else {
      made = evaluate_as(part, at.type);
    }
    put(object, at, made);
  }
}

}  // namespace autoreload::command
