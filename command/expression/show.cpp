// SPDX-License-Identifier: MIT
// show: the walk has a bound, because a description may be nonsense that contains itself.
#include "show.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstring>

#include "bits.hpp"
#include "command/utf8.hpp"
#include "types/shape.hpp"

namespace autoreload::command {

namespace {

using kind = shown_value::kind;

constexpr std::size_t most_parts = 100'000;

std::string whole_text(wide value, unsigned base, unsigned bits) {
  const bool negative = base == 10 && value < 0;
  auto rest = static_cast<unsigned_wide>(value);
  if (negative) rest = -rest;
  if (base != 10 && bits < 128) rest &= (unsigned_wide{1} << bits) - 1;
  std::string digits;
  do {
    digits.push_back("0123456789abcdef"[static_cast<unsigned>(rest % base)]);
    rest /= base;
  } while (rest != 0);
  const char* const prefix = base == 16 ? "x0" : base == 2 ? "b0" : base == 8 ? "0" : "";
  if (!(base == 8 && digits == "0")) digits += prefix;
  if (negative) digits.push_back('-');
  std::ranges::reverse(digits);
  return digits;
}

// The shortest that reads back as the same value; a whole one with `.0`, as C needs it.
template <class T>
std::string real_text(T value) {
  if (std::isnan(value)) return std::signbit(value) ? "-nan" : "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  std::array<char, 5000> text;
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  std::string made(text.data(), end);
  if (made.find_first_of(".e") == std::string::npos) made += ".0";
  return made;
}

std::string real_text(long double value, basic as) {
  if (as == basic::float_number || as == basic::complex_float) return real_text(static_cast<float>(value));
  if (as == basic::double_number || as == basic::complex_double) return real_text(static_cast<double>(value));
  return real_text(value);
}

// Letters that a person would call text: UTF-8 without control characters but the usual ones.
bool is_text(std::string_view bytes, bool cut) {
  for (std::size_t i = 0; i < bytes.size();) {
    const auto c = static_cast<unsigned char>(bytes[i]);
    const std::size_t length = c < 0x80                ? 1
                               : c >= 0xc2 && c < 0xe0 ? 2
                               : c >= 0xe0 && c < 0xf0 ? 3
                               : c >= 0xf0 && c < 0xf5 ? 4
                                                       : 0;
    if (length == 0 || (c < 0x20 && (c < '\a' || c > '\r') && c != 0x1b) || c == 0x7f) return false;
    if (i + length > bytes.size()) return cut;
    for (std::size_t k = 1; k < length; ++k) {
      if ((static_cast<unsigned char>(bytes[i + k]) & 0xc0) != 0x80) return false;
    }
    i += length;
  }
  return true;
}

class shower {
 public:
  shower(const type_table& types, const show_options& options) : types_(types), options_(options) {}

  shown_value show(type_index type, std::span<const std::byte> bytes, int depth = 0) {
    const std::uint64_t size = types_.size_of(type).value_or(0);
    if (++parts_ > most_parts || depth > types::deepest || bytes.size() < size) return {};
    const types::type& t = types_.bare_type(type);
    switch (t.kind) {
      case types::kind::base: return number(type, load(bytes, types_.which(type).value_or(basic::nothing)), size * 8);
      case types::kind::enumeration: return constant(type, bytes);
      case types::kind::pointer: return pointer(t, bytes);
      case types::kind::array: return array(t, bytes, depth);
      case types::kind::structure:
      case types::kind::unite: {
        shown_value made{kind::fields};
        add_fields(t, bytes, made, depth);
        return made;
      }
      default: return {};
    }
  }

 private:
  shown_value number(type_index type, const command::number& of, std::uint64_t bits) const {
    const std::optional<basic> which = types_.which(type);
    if (!which) return {};
    if (*which == basic::boolean) return {kind::truth, of.whole != 0 ? "true" : "false"};
    if (*which == basic::character && options_.base == 10 && names_char(type)) {
      return {kind::character, std::string(1, static_cast<char>(of.whole))};
    }
    if (of.is_whole) {
      const bool wide_unsigned = *which == basic::unsigned_int128 && of.whole < 0;
      if (wide_unsigned && options_.base == 10) {
        const auto all = static_cast<unsigned_wide>(of.whole);
        return {kind::number,
                whole_text(static_cast<wide>(all / 10), 10, 128) + whole_text(static_cast<wide>(all % 10), 10, 128)};
      }
      return {kind::number, whole_text(of.whole, options_.base, static_cast<unsigned>(bits))};
    }
    std::string text = real_text(of.real, *which);
    if (*which >= basic::complex_float) {
      const std::string imaginary = real_text(of.imaginary, *which);
      text += (imaginary.starts_with('-') ? " - " + imaginary.substr(1) : " + " + imaginary) + "i";
    }
    return {kind::number, text};
  }

  // int8_t is a number, whatever it is made of.
  bool names_char(type_index type) const { return types_.bare_type(type).name == "char"; }

  shown_value constant(type_index type, std::span<const std::byte> bytes) const {
    const basic as = types_.which(type).value_or(basic::integer);
    return constant(type, load(bytes, as).whole, types_.size_of(type).value_or(4) * 8);
  }

  // By its name; flags as the names that make it up.
  shown_value constant(type_index type, wide of, std::uint64_t bits) const {
    const types::type& t = types_.bare_type(type);
    bool flags = of > 0;
    for (const types::member& m : t.members) {
      if (m.value == of) return {kind::constant, m.name};
      flags &= m.value >= 0;
    }
    std::string names;
    wide rest = of;
    for (const types::member& m : t.members) {
      const bool one_bit = m.value > 0 && (m.value & (m.value - 1)) == 0;
      if (!flags || !one_bit || (rest & m.value) == 0) continue;
      names += (names.empty() ? "" : " | ") + m.name;
      rest &= ~static_cast<wide>(m.value);
    }
    if (flags && rest == 0 && !names.empty()) return {kind::constant, names};
    return {kind::number, whole_text(of, options_.base, static_cast<unsigned>(bits))};
  }

  shown_value pointer(const types::type& t, std::span<const std::byte> bytes) const {
    std::uint64_t address = 0;
    std::memcpy(&address, bytes.data(), sizeof address);
    if (address == 0) return {kind::pointer, "NULL"};
    const types::type& to = types_.bare_type(t.target);
    const bool letters = to.kind == types::kind::base && to.size == 1 && types_.is_integer(t.target) &&
                         to.encoding != types::encoding::boolean;
    if (letters && options_.base == 10) {
      std::optional<read_string> found =
          read_text(address, options_.most_elements == 0 ? 1 << 20 : options_.most_elements);
      // An empty string may as well be the first of some numbers.
      const bool numbers = !names_char(t.target) && found && found->bytes.empty();
      if (found && !numbers && is_text(found->bytes, found->cut)) return {kind::string, found->bytes, {}, found->cut};
    }
    if (const wide_letters of = wide_of(t.target); of.unit != 0 && options_.base == 10) {
      if (std::optional<shown_value> text = wide_text(address, of)) return *std::move(text);
    }
    return {kind::pointer, whole_text(static_cast<wide>(address), 16, 64)};
  }

  // A pointer to letters by the name that C gives them; other numbers of their size are numbers.
  struct wide_letters {
    std::size_t unit = 0;  // bytes
    char prefix = '\0';
  };
  wide_letters wide_of(type_index type) const {
    if (types_.kind_of(type) != types::kind::base) return {};
    const std::optional<std::uint64_t> size = types_.size_of(type);
    // Through typedefs: `char16_t` may be one of `__uint_least16_t`.
    for (int i = 0; i < types::deepest; ++i) {
      const types::type& t = types_.at(type);
      if (t.name == "wchar_t" && size == sizeof(wchar_t)) return {sizeof(wchar_t), 'L'};
      if (t.name == "char16_t" && size == 2) return {2, 'u'};
      if (t.name == "char32_t" && size == 4) return {4, 'U'};
      if (t.kind != types::kind::alias && t.kind != types::kind::qualified) break;
      type = t.target;
    }
    return {};
  }

  std::optional<shown_value> wide_text(std::uint64_t address, wide_letters letters) const {
    const std::size_t most = options_.most_elements == 0 ? 1 << 20 : options_.most_elements;
    shown_value made{.is = kind::string, .prefix = letters.prefix};
    char32_t high = 0;  // the first half of a letter of UTF-16
    for (std::size_t i = 0;; ++i) {
      if (i == most) {
        made.cut = true;
        return made;
      }
      const auto bytes = read_memory(address + i * letters.unit, letters.unit);
      if (!bytes) return std::nullopt;
      char32_t code = 0;
      std::memcpy(&code, bytes->data(), letters.unit);
      if (letters.unit == 2 && high == 0 && code >= 0xd800 && code < 0xdc00) {
        high = code;
        continue;
      }
      if (high != 0) {
        if (code < 0xdc00 || code >= 0xe000) return std::nullopt;
        code = 0x10000 + ((high - 0xd800) << 10) + (code - 0xdc00);
        high = 0;
      }
      if (code == 0) return made;
      const bool letter = code <= 0x10ffff && (code < 0xd800 || code >= 0xe000) &&
                          (code >= 0x20 || code == '\n' || code == '\t' || code == '\r');
      if (!letter) return std::nullopt;
      append_utf8(made.text, code);
    }
  }

  shown_value array(const types::type& t, std::span<const std::byte> bytes, int depth) {
    if (names_char(t.target) && types_.kind_of(t.target) == types::kind::base && t.size != 0 && options_.base == 10) {
      const std::string all(reinterpret_cast<const char*>(bytes.data()), t.size);
      const std::string text = all.substr(0, all.find('\0'));
      if (is_text(text, false)) {
        const bool cut = options_.most_elements != 0 && text.size() > options_.most_elements;
        return {kind::string, cut ? text.substr(0, options_.most_elements) : text, {}, cut};
      }
    }
    shown_value made{kind::elements};
    const std::uint64_t step = types_.size_of(t.target).value_or(0);
    for (std::uint64_t i = 0; t.complete && i < t.size; ++i) {
      if ((options_.most_elements != 0 && i >= options_.most_elements) || parts_ > most_parts) {
        made.cut = true;
        break;
      }
      if (step == 0 || (i + 1) * step > bytes.size()) break;
      made.parts.emplace_back("", show(t.target, bytes.subspan(i * step, step), depth + 1));
    }
    return made;
  }

  void add_fields(const types::type& t, std::span<const std::byte> bytes, shown_value& into, int depth) {
    for (const types::member& m : t.members) {
      const std::uint64_t first = m.bit_offset / 8;
      const std::uint64_t size = types_.size_of(m.type).value_or(0);
      if (m.bit_size != 0) {
        const std::optional<basic> which = types_.which(m.type);
        if (!which || first > bytes.size()) continue;
        const bool negative = load(store({.whole = -1}, *which), *which).whole < 0;
        const wide value = take_bits(bytes.subspan(first), m.bit_offset % 8, m.bit_size, negative);
        into.parts.emplace_back(m.name, types_.kind_of(m.type) == types::kind::enumeration
                                            ? constant(m.type, value, m.bit_size)
                                            : number(m.type, {.whole = value}, m.bit_size));
        continue;
      }
      if (first > bytes.size() || size > bytes.size() - first || ++parts_ > most_parts) continue;
      const types::type& inner = types_.bare_type(m.type);
      if (m.name.empty() && types_.is_struct(m.type) && depth < types::deepest) {
        add_fields(inner, bytes.subspan(first, size), into, depth + 1);
      } else {
        into.parts.emplace_back(m.name, show(m.type, bytes.subspan(first, size), depth + 1));
      }
    }
  }

  const type_table& types_;
  const show_options& options_;
  std::size_t parts_ = 0;
};

// Inside of quotes.
std::string escaped(std::string_view bytes, char quote) {
  std::string made;
  for (const char c : bytes) {
    constexpr std::string_view values = "\a\b\f\n\r\t\v\x1b\\";
    constexpr std::string_view names = "abfnrtve\\";
    const auto byte = static_cast<unsigned char>(c);
    if (const std::size_t i = values.find(c); i != std::string_view::npos && c != '\0') {
      made += {'\\', names[i]};
    } else if (c == quote) {
      made += {'\\', c};
    } else if (byte < 0x20 || byte == 0x7f || (byte >= 0x80 && quote == '\'')) {
      // Three octal digits, so that a digit that follows is not taken for a part of it.
      made += {'\\', static_cast<char>('0' + (byte >> 6)), static_cast<char>('0' + (byte >> 3 & 7)),
               static_cast<char>('0' + (byte & 7))};
    } else {
      made += c;
    }
  }
  return quote == '\'' && bytes == std::string_view("\0", 1) ? "\\0" : made;
}

}  // namespace

shown_value show(const value& from, const type_table& types, const show_options& options) {
  return shower(types, options).show(from.type, from.bytes);
}

std::string to_text(const shown_value& of) {
  switch (of.is) {
    case kind::number:
    case kind::truth:
    case kind::constant:
    case kind::pointer: return of.text;
    case kind::character: return "'" + escaped(of.text, '\'') + "'";
    case kind::string:
      return std::string(of.prefix == '\0' ? "" : std::string(1, of.prefix)) + "\"" + escaped(of.text, '"') +
             (of.cut ? "\"..." : "\"");
    case kind::fields:
    case kind::elements: {
      std::string text = "{";
      for (const auto& [name, part] : of.parts) {
        if (text.size() > 1) text += ", ";
        if (of.is == kind::fields) text += "." + name + " = ";
        text += to_text(part);
      }
      return text + (of.cut ? ", ...}" : "}");
    }
    case kind::unreadable: return "?";
  }
  return "?";
}

}  // namespace autoreload::command
