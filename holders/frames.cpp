// SPDX-License-Identifier: MIT
// frames: finds a place's entry in .eh_frame, and computes the caller's registers from it (DWARF 5, chapter 6.4, and
// the System V ABI for what .eh_frame has beyond).
#include "holders/frames.hpp"

#include <link.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "system/own_memory.hpp"

namespace autoreload::holding {
namespace {

// Reads onward from an address. After a failure all it reads is zero.
class cursor {
 public:
  explicit cursor(std::uintptr_t at) noexcept : at_(at) {}
  [[nodiscard]] std::uintptr_t at() const noexcept { return at_; }
  [[nodiscard]] bool good() const noexcept { return good_; }
  void skip(std::uint64_t bytes) noexcept { at_ += bytes; }

  template <class T>
  T get() noexcept {
    T value{};
    if (at_ < held_from_ || at_ + sizeof value > held_from_ + held_) {
      held_from_ = at_;
      held_ = good_ ? copy_memory(at_, piece_.data(), piece_.size()) : 0;
      if (held_ < sizeof value) {
        good_ = false;
        return value;
      }
    }
    std::memcpy(&value, piece_.data() + (at_ - held_from_), sizeof value);
    at_ += sizeof value;
    return value;
  }
  std::uint64_t uleb() noexcept {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const auto byte = get<std::uint8_t>();
      value |= std::uint64_t{byte & 0x7fU} << shift;
      if ((byte & 0x80U) == 0) break;
    }
    return value;
  }
  std::int64_t sleb() noexcept {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64;) {
      const auto byte = get<std::uint8_t>();
      value |= std::uint64_t{byte & 0x7fU} << shift;
      shift += 7;
      if ((byte & 0x80U) != 0) continue;
      if ((byte & 0x40U) != 0 && shift < 64) value |= ~std::uint64_t{0} << shift;
      break;
    }
    return static_cast<std::int64_t>(value);
  }
  // A pointer in one of the encodings of .eh_frame, as far as x86-64's compilers use them.
  std::uint64_t encoded(std::uint8_t how) noexcept {
    const std::uintptr_t place = at_;
    std::uint64_t value = 0;
    switch (how & 0x0fU) {
      case 0x00:
      case 0x04:
      case 0x0c: value = get<std::uint64_t>(); break;
      case 0x01: value = uleb(); break;
      case 0x02: value = get<std::uint16_t>(); break;
      case 0x03: value = get<std::uint32_t>(); break;
      case 0x09: value = static_cast<std::uint64_t>(sleb()); break;
      case 0x0a: value = static_cast<std::uint64_t>(std::int64_t{get<std::int16_t>()}); break;
      case 0x0b: value = static_cast<std::uint64_t>(std::int64_t{get<std::int32_t>()}); break;
      default: good_ = false;
    }
    const unsigned base = how & 0x70U;
    if (base == 0x10 && value != 0) value += place;
    if (base > 0x10 && base != 0x50) good_ = false;
    return value;
  }

 private:
  std::uintptr_t at_;
  std::uintptr_t held_from_ = 1;
  std::size_t held_ = 0;
  bool good_ = true;
  std::array<std::byte, 256> piece_{};
};

std::optional<std::uint64_t> word_at(std::uintptr_t address) noexcept {
  std::uint64_t word = 0;
  if (copy_memory(address, &word, sizeof word) != sizeof word) return std::nullopt;
  return word;
}

// An entry for a function: how its callers' registers are found.
struct function_entry {
  std::uintptr_t begin = 0;
  std::uintptr_t first = 0;  // of its instructions
  std::uintptr_t last = 0;
  std::uintptr_t common_first = 0;  // of those that are common to many
  std::uintptr_t common_last = 0;
  std::uint64_t code_step = 1;
  std::int64_t data_step = 1;
  std::uint64_t return_register = frame_registers::instruction;
  bool is_signals = false;
};

struct common_entry {
  std::uint8_t encoding = 0;
  bool has_data = false;
  bool good = false;
};

common_entry read_common(std::uintptr_t at, function_entry& into) noexcept {
  cursor in(at);
  common_entry made;
  const auto length = in.get<std::uint32_t>();
  into.common_last = in.at() + length;
  if (length == 0 || length >= 0xfffffff0U || in.get<std::uint32_t>() != 0) return made;
  const auto version = in.get<std::uint8_t>();
  std::array<char, 8> text{};
  for (char& one : text) {
    one = in.get<char>();
    if (one == '\0') break;
  }
  if ((version != 1 && version != 3) || text.back() != '\0') return made;
  into.code_step = in.uleb();
  into.data_step = in.sleb();
  into.return_register = version == 1 ? in.get<std::uint8_t>() : in.uleb();
  if (text[0] == 'z') {
    made.has_data = true;
    const std::uint64_t bytes = in.uleb();
    const std::uintptr_t end = in.at() + bytes;
    for (const char one : text) {
      if (one == 'R') made.encoding = in.get<std::uint8_t>();
      if (one == 'L') (void)in.get<std::uint8_t>();
      if (one == 'P') (void)in.encoded(in.get<std::uint8_t>());
      if (one == 'S') into.is_signals = true;
    }
    in.skip(end - in.at());
  } else if (text[0] != '\0') {
    return made;
  }
  into.common_first = in.at();
  made.good = in.good();
  return made;
}

std::optional<function_entry> read_function(std::uintptr_t at, std::uintptr_t instruction) noexcept {
  cursor in(at);
  const auto length = in.get<std::uint32_t>();
  if (length == 0 || length >= 0xfffffff0U) return std::nullopt;
  function_entry made;
  made.last = in.at() + length;
  const std::uintptr_t here = in.at();
  const common_entry common = read_common(here - in.get<std::uint32_t>(), made);
  if (!common.good) return std::nullopt;
  made.begin = in.encoded(common.encoding);
  const std::uint64_t size = in.encoded(common.encoding & 0x0fU);
  if (common.has_data) {
    const std::uint64_t bytes = in.uleb();
    in.skip(bytes);
  }
  made.first = in.at();
  if (!in.good() || instruction - made.begin >= size) return std::nullopt;
  return made;
}

// By the table that the linker sorted: pairs of a function and its entry, from the table's own address.
std::optional<function_entry> find_entry(std::uintptr_t table, std::uintptr_t instruction) noexcept {
  cursor in(table);
  const auto version = in.get<std::uint8_t>();
  const auto pointer = in.get<std::uint8_t>();
  const auto counts = in.get<std::uint8_t>();
  const auto entries = in.get<std::uint8_t>();
  (void)in.encoded(pointer);
  const std::uint64_t count = in.encoded(counts);
  if (!in.good() || version != 1 || entries != 0x3b || count == 0) return std::nullopt;
  struct pair {
    std::int32_t function, entry;
  };
  const auto at = [&](std::uint64_t i) { return cursor(in.at() + i * sizeof(pair)).get<pair>(); };
  std::uint64_t low = 0;
  std::uint64_t high = count;
  while (high - low > 1) {
    const std::uint64_t middle = low + (high - low) / 2;
    const std::uintptr_t begin = table + static_cast<std::uintptr_t>(std::int64_t{at(middle).function});
    (begin <= instruction ? low : high) = middle;
  }
  return read_function(table + static_cast<std::uintptr_t>(std::int64_t{at(low).entry}), instruction);
}

// Where a register of the caller's is.
struct rule {
  enum class is : std::uint8_t { same, unknown, at_offset, offset, other, at_expression, expression };
  is what = is::same;
  std::int64_t offset = 0;  // or the other register's number, or an expression's address
};
struct rules {
  std::array<rule, frame_registers::count> of{};
  std::uint64_t frame_register = frame_registers::stack_pointer;
  std::int64_t frame_offset = 0;
  std::uintptr_t frame_expression = 0;
};

std::optional<std::uint64_t> evaluate(std::uintptr_t expression, const frame_registers& known,
                                      std::optional<std::uint64_t> first) noexcept {
  cursor in(expression);
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
  explicit rule_reader(const function_entry& of) noexcept : of_(of) {}

  std::optional<rules> at(std::uintptr_t instruction) noexcept {
    if (!run(of_.common_first, of_.common_last, ~std::uintptr_t{0})) return std::nullopt;
    initial_ = now_;
    place_ = of_.begin;
    if (!run(of_.first, of_.last, instruction)) return std::nullopt;
    return now_;
  }

 private:
  void set(std::uint64_t number, rule::is what, std::int64_t offset = 0) noexcept {
    if (number < now_.of.size()) now_.of[number] = {what, offset};
  }
  void forget(std::uint64_t number) noexcept {
    if (number < now_.of.size()) now_.of[number] = initial_.of[number];
  }
  static std::int64_t skip_expression(cursor& in) noexcept {
    const auto at = static_cast<std::int64_t>(in.at());
    const std::uint64_t size = in.uleb();
    in.skip(size);
    return at;
  }
  std::int64_t scaled(std::int64_t by) const noexcept { return by * of_.data_step; }

  bool run(std::uintptr_t from, std::uintptr_t to, std::uintptr_t until) noexcept {
    cursor in(from);
    while (in.at() < to && in.good()) {
      const auto what = in.get<std::uint8_t>();
      const std::uint64_t low = what & 0x3fU;
      switch (what & 0xc0U) {
        case 0x40: place_ += low * of_.code_step; break;
        case 0x80: set(low, rule::is::at_offset, scaled(static_cast<std::int64_t>(in.uleb()))); break;
        case 0xc0: forget(low); break;
        default:
          if (!other(what, in)) return false;
      }
      if (place_ > until) return true;
    }
    return in.good();
  }

  bool other(std::uint8_t what, cursor& in) noexcept {
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

  bool of_register(std::uint8_t what, cursor& in) noexcept {
    const std::uint64_t number = in.uleb();
    switch (what) {
      case 0x05: set(number, rule::is::at_offset, scaled(static_cast<std::int64_t>(in.uleb()))); return true;
      case 0x06: forget(number); return true;
      case 0x07: set(number, rule::is::unknown); return true;
      case 0x08: set(number, rule::is::same); return true;
      case 0x09: set(number, rule::is::other, static_cast<std::int64_t>(in.uleb())); return true;
      case 0x10: set(number, rule::is::at_expression, skip_expression(in)); return true;
      case 0x11: set(number, rule::is::at_offset, scaled(in.sleb())); return true;
      case 0x14: set(number, rule::is::offset, scaled(static_cast<std::int64_t>(in.uleb()))); return true;
      case 0x15: set(number, rule::is::offset, scaled(in.sleb())); return true;
      case 0x16: set(number, rule::is::expression, skip_expression(in)); return true;
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

  const function_entry& of_;
  std::uintptr_t place_ = 0;
  rules now_;
  rules initial_;
  std::array<rules, 4> kept_;
  std::size_t depth_ = 0;
};

std::optional<std::uint64_t> value_of(const rule& how, std::size_t number, std::uint64_t frame,
                                      const frame_registers& now) noexcept {
  using is = rule::is;
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

}  // namespace

unseen_list<unwound_object> unwound_objects() {
  unseen_list<unwound_object> all;
  dl_iterate_phdr(
      [](dl_phdr_info* one, std::size_t, void* into) {
        unwound_object made{~std::uintptr_t{0}, 0, 0};
        for (int i = 0; i < one->dlpi_phnum; ++i) {
          const ElfW(Phdr)& part = one->dlpi_phdr[i];
          const std::uintptr_t at = one->dlpi_addr + part.p_vaddr;
          if (part.p_type == PT_GNU_EH_FRAME) made.table = at;
          if (part.p_type != PT_LOAD) continue;
          made.begin = std::min(made.begin, at);
          made.end = std::max(made.end, at + part.p_memsz);
        }
        if (made.table != 0 && made.begin < made.end) static_cast<unseen_list<unwound_object>*>(into)->push_back(made);
        return 0;
      },
      &all);
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.begin < b.begin; });
  return all;
}

frame_walk::step frame_walk::next() noexcept {
  const std::uintptr_t at = here().instruction - (interrupted_ ? 0 : 1);
  const auto after = std::upper_bound(objects_.begin(), objects_.end(), at,
                                      [](std::uintptr_t a, const unwound_object& one) { return a < one.begin; });
  if (after == objects_.begin() || std::prev(after)->end <= at) return step::lost;
  const std::optional<function_entry> entry = find_entry(std::prev(after)->table, at);
  if (!entry || entry->return_register != frame_registers::instruction) return step::lost;
  const std::optional<rules> how = rule_reader(*entry).at(at);
  if (!how) return step::lost;
  std::optional<std::uint64_t> frame;
  if (how->frame_expression != 0) {
    frame = evaluate(how->frame_expression, now_, std::nullopt);
  } else if (how->frame_register < frame_registers::count && now_.has(how->frame_register)) {
    frame = now_.value[how->frame_register] + static_cast<std::uint64_t>(how->frame_offset);
  }
  if (how->of[frame_registers::instruction].what == rule::is::unknown) return step::end;
  if (!frame) return step::lost;
  frame_registers before;
  for (std::size_t i = 0; i < frame_registers::count; ++i) {
    if (const auto value = value_of(how->of[i], i, *frame, now_)) before.set(i, *value);
  }
  if (how->of[frame_registers::stack_pointer].what == rule::is::same) {
    before.set(frame_registers::stack_pointer, *frame);
  }
  if (!before.has(frame_registers::instruction) || !before.has(frame_registers::stack_pointer)) return step::lost;
  if (before.value[frame_registers::instruction] == 0) return step::end;
  // A table that says that nothing changed would be followed for ever.
  if (!entry->is_signals && before.value[frame_registers::stack_pointer] <= stack_pointer()) return step::lost;
  now_ = before;
  interrupted_ = entry->is_signals;
  return step::made;
}

}  // namespace autoreload::holding
