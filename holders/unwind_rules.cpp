// SPDX-License-Identifier: MIT
// unwind_rules: runs the instructions of an entry up to a place, and evaluates expressions.
#include "holders/unwind_rules.hpp"

#include "holders/memory_cursor.hpp"

namespace autoreload::holding {
namespace {

std::optional<std::uint64_t> evaluate(std::uintptr_t expression, const frame_registers& known,
                                      std::optional<std::uint64_t> first) noexcept {
  memory_cursor in(expression);
  const std::uint64_t size = in.uleb();
  const std::uintptr_t end = in.at() + size;
  std::array<std::uint64_t, 16> stack{};
  std::size_t depth = 0;
  const auto push = [&](std::uint64_t value) {
    if (depth < stack.size()) stack[depth] = value;
    ++depth;
  };
  if (first) push(*first);
  while (in.at() < end && in.good() && depth <= stack.size()) {
    const auto what = in.get<std::uint8_t>();
    if (what >= 0x30 && what <= 0x4f) {
      push(what - 0x30U);
    } else if (what >= 0x70 && what <= 0x8f) {
      const std::size_t number = what - 0x70U;
      const auto offset = static_cast<std::uint64_t>(in.sleb());
      if (number >= frame_registers::count || !known.has(number)) return std::nullopt;
      push(known.value[number] + offset);
    } else if (what == 0x08) {
      push(in.get<std::uint8_t>());
    } else if (what == 0x09) {
      push(static_cast<std::uint64_t>(std::int64_t{in.get<std::int8_t>()}));
    } else if (what == 0x10) {
      push(in.uleb());
    } else if (what == 0x11) {
      push(static_cast<std::uint64_t>(in.sleb()));
    } else if (what == 0x06 || what == 0x23) {
      if (depth < 1) return std::nullopt;
      const auto made = what == 0x23 ? std::optional(stack[depth - 1] + in.uleb()) : word_at(stack[depth - 1]);
      if (!made) return std::nullopt;
      stack[depth - 1] = *made;
    } else {
      if (depth < 2) return std::nullopt;
      const std::uint64_t b = stack[--depth];
      std::uint64_t& a = stack[depth - 1];
      switch (what) {
        case 0x1a: a &= b; break;
        case 0x1c: a -= b; break;
        case 0x21: a |= b; break;
        case 0x22: a += b; break;
        case 0x24: a = b < 64 ? a << b : 0; break;
        case 0x25: a = b < 64 ? a >> b : 0; break;
        case 0x2a: a = static_cast<std::int64_t>(a) >= static_cast<std::int64_t>(b) ? 1 : 0; break;
        default: return std::nullopt;
      }
    }
  }
  if (!in.good() || depth == 0 || depth > stack.size()) return std::nullopt;
  return stack[depth - 1];
}

class rule_reader {
 public:
  explicit rule_reader(const unwind_entry& of) noexcept : of_(of) {}

  std::optional<unwind_rules> at(std::uintptr_t instruction) noexcept {
    if (!run(of_.common_first, of_.common_last, ~std::uintptr_t{0})) return std::nullopt;
    initial_ = now_;
    place_ = of_.begin;
    if (!run(of_.first, of_.last, instruction)) return std::nullopt;
    return now_;
  }

 private:
  void set(std::uint64_t number, unwind_rule::is what, std::int64_t offset = 0) noexcept {
    if (number < now_.of.size()) now_.of[number] = {what, offset};
  }
  void forget(std::uint64_t number) noexcept {
    if (number < now_.of.size()) now_.of[number] = initial_.of[number];
  }
  static std::int64_t skip_expression(memory_cursor& in) noexcept {
    const auto at = static_cast<std::int64_t>(in.at());
    const std::uint64_t size = in.uleb();
    in.skip(size);
    return at;
  }
  std::int64_t scaled(std::int64_t by) const noexcept { return by * of_.data_step; }

  bool run(std::uintptr_t from, std::uintptr_t to, std::uintptr_t until) noexcept {
    memory_cursor in(from);
    while (in.at() < to && in.good()) {
      const auto what = in.get<std::uint8_t>();
      const std::uint64_t low = what & 0x3fU;
      switch (what & 0xc0U) {
        case 0x40: place_ += low * of_.code_step; break;
        case 0x80: set(low, unwind_rule::is::at_offset, scaled(static_cast<std::int64_t>(in.uleb()))); break;
        case 0xc0: forget(low); break;
        default:
          if (!other(what, in)) return false;
      }
      if (place_ > until) return true;
    }
    return in.good();
  }

  bool other(std::uint8_t what, memory_cursor& in) noexcept {
    switch (what) {
      case 0x00: return true;
      case 0x01: place_ = in.get<std::uint64_t>(); return true;
      case 0x02: place_ += in.get<std::uint8_t>() * of_.code_step; return true;
      case 0x03: place_ += in.get<std::uint16_t>() * of_.code_step; return true;
      case 0x04: place_ += in.get<std::uint32_t>() * of_.code_step; return true;
      case 0x0a: return remember();
      case 0x0b: return come_back();
      case 0x0c: {
        const std::uint64_t number = in.uleb();
        return frame(number, static_cast<std::int64_t>(in.uleb()));
      }
      case 0x0d: now_.frame_register = in.uleb(); return true;
      case 0x0e: now_.frame_offset = static_cast<std::int64_t>(in.uleb()); return true;
      case 0x0f: now_.frame_expression = static_cast<std::uintptr_t>(skip_expression(in)); return true;
      case 0x12: {
        const std::uint64_t number = in.uleb();
        return frame(number, scaled(in.sleb()));
      }
      case 0x13: now_.frame_offset = scaled(in.sleb()); return true;
      case 0x2e: (void)in.uleb(); return true;  // bytes of arguments
      default: return of_register(what, in);
    }
  }

  bool of_register(std::uint8_t what, memory_cursor& in) noexcept {
    const std::uint64_t number = in.uleb();
    switch (what) {
      case 0x05: set(number, unwind_rule::is::at_offset, scaled(static_cast<std::int64_t>(in.uleb()))); return true;
      case 0x06: forget(number); return true;
      case 0x07: set(number, unwind_rule::is::unknown); return true;
      case 0x08: set(number, unwind_rule::is::same); return true;
      case 0x09: set(number, unwind_rule::is::other, static_cast<std::int64_t>(in.uleb())); return true;
      case 0x10: set(number, unwind_rule::is::at_expression, skip_expression(in)); return true;
      case 0x11: set(number, unwind_rule::is::at_offset, scaled(in.sleb())); return true;
      case 0x14: set(number, unwind_rule::is::offset, scaled(static_cast<std::int64_t>(in.uleb()))); return true;
      case 0x15: set(number, unwind_rule::is::offset, scaled(in.sleb())); return true;
      case 0x16: set(number, unwind_rule::is::expression, skip_expression(in)); return true;
      default: return false;
    }
  }

  bool frame(std::uint64_t number, std::int64_t offset) noexcept {
    now_.frame_register = number;
    now_.frame_offset = offset;
    now_.frame_expression = 0;
    return true;
  }
  bool remember() noexcept {
    if (depth_ == kept_.size()) return false;
    kept_[depth_++] = now_;
    return true;
  }
  bool come_back() noexcept {
    if (depth_ == 0) return false;
    now_ = kept_[--depth_];
    return true;
  }

  const unwind_entry& of_;
  std::uintptr_t place_ = 0;
  unwind_rules now_;
  unwind_rules initial_;
  std::array<unwind_rules, 4> kept_;
  std::size_t depth_ = 0;
};

}  // namespace

std::optional<unwind_rules> rules_at(const unwind_entry& of, std::uintptr_t instruction) noexcept {
  return rule_reader(of).at(instruction);
}

std::optional<std::uint64_t> frame_of(const unwind_rules& how, const frame_registers& now) noexcept {
  if (how.frame_expression != 0) return evaluate(how.frame_expression, now, std::nullopt);
  if (how.frame_register >= frame_registers::count || !now.has(how.frame_register)) return std::nullopt;
  return now.value[how.frame_register] + static_cast<std::uint64_t>(how.frame_offset);
}

std::optional<std::uint64_t> value_of(const unwind_rule& how, std::size_t number, std::uint64_t frame,
                                      const frame_registers& now) noexcept {
  using is = unwind_rule::is;
  const std::uint64_t place = frame + static_cast<std::uint64_t>(how.offset);
  const auto source = how.what == is::other ? static_cast<std::size_t>(how.offset) : number;
  switch (how.what) {
    case is::same:
    case is::other:
      return source < now.value.size() && now.has(source) ? std::optional(now.value[source]) : std::nullopt;
    case is::at_offset: return word_at(place);
    case is::offset: return place;
    case is::at_expression: {
      const auto at = evaluate(static_cast<std::uintptr_t>(how.offset), now, frame);
      return at ? word_at(*at) : std::nullopt;
    }
    case is::expression: return evaluate(static_cast<std::uintptr_t>(how.offset), now, frame);
    case is::unknown: break;
  }
  return std::nullopt;
}

}  // namespace autoreload::holding
