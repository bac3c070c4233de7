// SPDX-License-Identifier: MIT
// lexer: one pass over the text; numbers are read by the C library, in no locale.
#include "lexer.hpp"

#include <array>
#include <cerrno>
#include <clocale>
#include <cstdlib>
#include <optional>

#include "command/utf8.hpp"

namespace autoreload::command {

namespace {

// Longer ones come first.
constexpr std::array<std::string_view, 46> signs{
    "<<=", ">>=", "...", "->", "++", "--", "<<", ">>", "<=", ">=", "==", "!=", "&&", "||", "*=", "/=",
    "%=",  "+=",  "-=",  "&=", "^=", "|=", "[",  "]",  "(",  ")",  "{",  "}",  ".",  "&",  "*",  "+",
    "-",   "~",   "!",   "/",  "%",  "<",  ">",  "^",  "|",  "?",  ":",  ",",  "=",  ";"};

// Not those of <cctype>: they ask the locale, and are undefined for bytes above 127.
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
std::optional<unsigned> digit_of(char c) {
  if (is_digit(c)) return static_cast<unsigned>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<unsigned>(c - 'a' + 10);
  if (c >= 'A' && c <= 'F') return static_cast<unsigned>(c - 'A' + 10);
  return std::nullopt;
}

class lexer {
 public:
  explicit lexer(std::string_view text) : text_(text) {}

  std::vector<token> run() {
    std::vector<token> list;
    do {
      token next = read();
      if (next.kind == token_kind::string && !list.empty() && list.back().kind == token_kind::string) {
        if (next.prefix != list.back().prefix) complain(next.where, "write the same prefix before both strings");
        list.back().text += next.text;
        list.back().where.end = next.where.end;
      } else {
        list.push_back(std::move(next));
      }
    } while (list.back().kind != token_kind::end);
    return list;
  }

 private:
  char peek(std::size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }
  place since(std::size_t begin) const { return {begin, at_}; }

  token read() {
    while (at_ < text_.size() && is_space(peek())) ++at_;
    const std::size_t begin = at_;
    if (at_ == text_.size()) return {.kind = token_kind::end, .where = {begin, begin + 1}};
    if (is_letter(peek())) return read_name();
    if (is_digit(peek()) || (peek() == '.' && is_digit(peek(1)))) return read_number();
    if (peek() == '"') return read_string();
    if (peek() == '\'') return is_unit() ? read_unit_and_name() : read_character();
    if (peek() == '$') return read_earlier();
    for (const std::string_view sign : signs) {
      if (!text_.substr(at_).starts_with(sign)) continue;
      at_ += sign.size();
      return {.kind = token_kind::sign, .where = since(begin), .text = std::string(sign)};
    }
    ++at_;
    while (at_ < text_.size() && (static_cast<unsigned char>(peek()) & 0xc0) == 0x80) ++at_;  // the rest of a letter
    complain(since(begin), "this is nothing that C knows");
  }

  // `function::variable` is one name.
  void skip_name() {
    while (is_letter(peek()) || is_digit(peek()) || (peek() == ':' && peek(1) == ':' && is_letter(peek(2)))) {
      at_ += peek() == ':' ? 3 : 1;
    }
  }

  // `'list.c'::count`, which no character begins.
  bool is_unit() const {
    const std::size_t close = text_.find('\'', at_ + 1);
    return close != std::string_view::npos && text_.substr(close + 1, 2) == "::";
  }

  token read_unit_and_name() {
    const std::size_t begin = at_;
    at_ = text_.find('\'', at_ + 1) + 1;
    skip_name();
    return {.kind = token_kind::name, .where = since(begin), .text = std::string(text_.substr(begin, at_ - begin))};
  }

  token read_name() {
    const std::size_t begin = at_;
    skip_name();
    std::string name(text_.substr(begin, at_ - begin));
    if (peek() == '"' || peek() == '\'') {
      if (name == "u8") return read();
      if (name == "L" || name == "u" || name == "U") return read_wide(begin, name[0]);
    }
    return {.kind = token_kind::name, .where = since(begin), .text = std::move(name)};
  }

  token read_earlier() {
    const std::size_t begin = at_++;
    token made{.kind = token_kind::earlier};
    while (is_digit(peek()) && made.whole < 1'000'000) {
      made.whole = made.whole * 10 + static_cast<unsigned>(peek() - '0');
      ++at_;
    }
    if (at_ == begin + 1) complain(since(begin), "a number must follow: $1 is the first result");
    made.where = since(begin);
    return made;
  }

  token read_number() {
    const std::size_t begin = at_;
    const bool hexadecimal = peek() == '0' && (peek(1) == 'x' || peek(1) == 'X');
    bool floating = false;
    for (; at_ < text_.size(); ++at_) {
      const char c = peek();
      const bool exponent = hexadecimal ? c == 'p' || c == 'P' : c == 'e' || c == 'E';
      if (c == '.' || exponent) floating = true;
      if (exponent && (peek(1) == '+' || peek(1) == '-')) {
        ++at_;
      } else if (!is_digit(c) && !is_letter(c) && c != '.') {
        break;
      }
    }
    const std::string word(text_.substr(begin, at_ - begin));
    return floating ? real(word, since(begin)) : whole(word, since(begin));
  }

  static token real(const std::string& word, place where) {
    token made{.kind = token_kind::real, .where = where};
    char* end = nullptr;
    static const locale_t plain = newlocale(LC_ALL_MASK, "C", nullptr);
    made.real = strtold_l(word.c_str(), &end, plain);
    const std::string suffix = end;
    if (suffix == "f" || suffix == "F") {
      made.is_float = true;
    } else if (suffix == "l" || suffix == "L") {
      made.longs = 1;
    } else if (!suffix.empty()) {
      complain(where, "\"" + word + "\" is no number");
    }
    return made;
  }

  static token whole(const std::string& word, place where) {
    token made{.kind = token_kind::whole, .where = where};
    unsigned base = 10;
    std::size_t i = 0;
    if (word.size() > 1 && word[0] == '0') {
      const char second = word[1];
      base = second == 'x' || second == 'X' ? 16 : second == 'b' || second == 'B' ? 2 : 8;
      i = base == 8 ? 1 : 2;
      if (base != 8 && (word.size() == 2 || digit_of(word[2]).value_or(16) >= base)) {
        complain(where, "\"" + word + "\" is no number");
      }
    }
    made.decimal = base == 10;
    for (; i < word.size() && digit_of(word[i]); ++i) {
      const unsigned digit = *digit_of(word[i]);
      if (digit >= base) complain(where, "\"" + word + "\" is no number");
      std::uint64_t next = 0;
      if (__builtin_mul_overflow(made.whole, base, &next) || __builtin_add_overflow(next, digit, &next)) {
        complain(where, "this number is larger than any of C's types");
      }
      made.whole = next;
    }
    std::string suffix = word.substr(i);
    for (char& c : suffix) c = c == 'U' ? 'u' : c == 'L' ? 'l' : c;
    if (suffix.starts_with('u') || suffix.ends_with('u')) {
      made.is_unsigned = true;
      suffix.erase(suffix.starts_with('u') ? 0 : suffix.size() - 1, 1);
    }
    if (!suffix.empty() && suffix != "l" && suffix != "ll") complain(where, "\"" + word + "\" is no number");
    made.longs = static_cast<std::uint8_t>(suffix.size());
    return made;
  }

  // One character of a string or a character constant; a byte for all but \u.
  void read_escape(std::string& into) {
    const std::size_t begin = at_++;
    const char c = peek();
    ++at_;
    constexpr std::string_view names = "abfnrtve\\'\"?";
    constexpr std::string_view values = "\a\b\f\n\r\t\v\x1b\\'\"?";
    if (const std::size_t i = names.find(c); c != '\0' && i != std::string_view::npos) {
      into.push_back(values[i]);
    } else if (c >= '0' && c <= '7') {
      unsigned value = static_cast<unsigned>(c - '0');
      for (int n = 1; n < 3 && peek() >= '0' && peek() <= '7'; ++n, ++at_) {
        value = value * 8 + static_cast<unsigned>(peek() - '0');
      }
      push_value(into, value, begin);
    } else if (c == 'x') {
      push_value(into, hexadecimal(begin, 1, 8), begin);
    } else if (c == 'u' || c == 'U') {
      const std::size_t digits = c == 'u' ? 4 : 8;
      const std::uint32_t code = hexadecimal(begin, digits, digits);
      if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) complain(since(begin), "there is no such letter");
      append_utf8(into, code);
    } else {
      at_ = std::min(at_, text_.size());
      complain(since(begin), "C has no such escape");
    }
  }

  // A wide text is gathered as UTF-8, too.
  void push_value(std::string& into, std::uint32_t value, std::size_t begin) {
    if (!wide_ && value > 255) complain(since(begin), "this is more than a byte");
    if (wide_ && (value > 0x10ffff || (value >= 0xd800 && value < 0xe000))) {
      complain(since(begin), "there is no such letter");
    }
    wide_ ? append_utf8(into, value) : into.push_back(static_cast<char>(value));
  }

  // L"text" or L'c': the letters of UTF-8, each in as many bytes as the prefix says.
  token read_wide(std::size_t begin, char prefix) {
    const char quote = peek();
    wide_ = true;
    const std::string letters = quoted(quote);
    wide_ = false;
    const bool string = quote == '"';
    token made{.kind = string ? token_kind::string : token_kind::character,
               .where = since(begin),
               .unit = static_cast<std::uint8_t>(prefix == 'u' ? 2 : 4),
               .prefix = prefix};
    const std::optional<std::vector<char32_t>> codes = letters_of(letters);
    if (!codes) complain(made.where, "this is no UTF-8");
    std::vector<char32_t> units;
    for (const char32_t code : *codes) {
      if (made.unit == 2 && code > 0xffff) {  // UTF-16
        units.push_back(0xd800 + ((code - 0x10000) >> 10));
        units.push_back(0xdc00 + ((code - 0x10000) & 0x3ff));
      } else {
        units.push_back(code);
      }
    }
    if (!string) {
      if (units.size() != 1) complain(made.where, "this is not one character");
      made.whole = units[0];
      return made;
    }
    for (const char32_t unit : units) {
      made.text.append(reinterpret_cast<const char*>(&unit), made.unit);  // little-endian: see meson.build
    }
    return made;
  }

  std::uint32_t hexadecimal(std::size_t begin, std::size_t least, std::size_t most) {
    std::uint32_t value = 0;
    std::size_t count = 0;
    for (; count < most && digit_of(peek()); ++count, ++at_) value = value * 16 + *digit_of(peek());
    if (count < least) complain(since(begin), "hexadecimal digits are missing");
    return value;
  }

  std::string quoted(char quote) {
    const std::size_t begin = at_++;
    std::string bytes;
    while (at_ < text_.size() && peek() != quote) {
      if (peek() == '\\') {
        read_escape(bytes);
      } else {
        bytes.push_back(text_[at_++]);
      }
    }
    if (at_ >= text_.size()) {
      at_ = text_.size();
      complain(since(begin), quote == '"' ? "the string has no end" : "the character has no end");
    }
    ++at_;
    return bytes;
  }

  token read_string() {
    const std::size_t begin = at_;
    token made{.kind = token_kind::string, .text = quoted('"')};
    made.where = since(begin);
    return made;
  }

  // The value is an int's: a char that was widened.
  token read_character() {
    const std::size_t begin = at_;
    const std::string bytes = quoted('\'');
    if (bytes.size() != 1) complain(since(begin), "a character is one byte; a string stands in double quotes");
    return {.kind = token_kind::character,
            .where = since(begin),
            .whole = static_cast<std::uint64_t>(static_cast<std::int64_t>(bytes[0]))};
  }

  bool wide_ = false;  // in a wide string
  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

std::vector<token> tokens_of(std::string_view text) { return lexer(text).run(); }

}  // namespace autoreload::command
