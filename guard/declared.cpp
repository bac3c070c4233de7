// SPDX-License-Identifier: MIT
// declared: a parser for the one kind of text that c_type.hpp writes, abstract declarators such as `int (const char
// *)`.
#include "guard/declared.hpp"

#include <array>
#include <cctype>
#include <cstdlib>
#include <string>
#include <type_traits>

namespace autoreload::types {

namespace {

struct base_type {
  std::string_view spelling;
  encoding means;
  std::size_t size;
};

template <class T>
constexpr base_type number(std::string_view spelling) {
  return {spelling, std::is_signed_v<T> ? encoding::signed_integer : encoding::unsigned_integer, sizeof(T)};
}

// As g++ and clang spell them; with the sizes of this very process, which the library is loaded into.
constexpr std::array base_types{
    number<char>("char"),
    number<signed char>("signed char"),
    number<unsigned char>("unsigned char"),
    number<short>("short"),
    number<short>("short int"),
    number<unsigned short>("unsigned short"),
    number<unsigned short>("short unsigned int"),
    number<int>("int"),
    number<unsigned>("unsigned int"),
    number<unsigned>("unsigned"),
    number<long>("long"),
    number<long>("long int"),
    number<unsigned long>("unsigned long"),
    number<unsigned long>("long unsigned int"),
    number<long long>("long long"),
    number<long long>("long long int"),
    number<unsigned long long>("unsigned long long"),
    number<unsigned long long>("long long unsigned int"),
    number<wchar_t>("wchar_t"),
    number<char16_t>("char16_t"),
    number<char32_t>("char32_t"),
    base_type{"__int128", encoding::signed_integer, 16},
    base_type{"unsigned __int128", encoding::unsigned_integer, 16},
    base_type{"__int128 unsigned", encoding::unsigned_integer, 16},
    base_type{"_Bool", encoding::boolean, sizeof(bool)},
    base_type{"float", encoding::floating, sizeof(float)},
    base_type{"double", encoding::floating, sizeof(double)},
    base_type{"long double", encoding::floating, sizeof(long double)},
};

constexpr int deepest = 64;  // brackets in brackets; the compiler's own declarations stay far below

class parser {
 public:
  parser(description& into, std::string_view text) : into_(into), text_(text) {}

  // The type, or nothing when the text is of another kind.
  std::optional<type_index> whole() {
    const std::optional<type_index> found = declaration(0);
    skip_blanks();
    return text_.empty() ? found : std::nullopt;
  }

 private:
  // Declarators are read outside in, but types are made inside out: a declarator hands back what to do, in order.
  struct step {
    kind what;
    std::string qualifiers;               // of a pointer
    std::string sign;                     // `*` or `&`
    std::optional<std::uint64_t> length;  // of an array
    std::vector<type_index> parameters;
    bool variadic = false;
  };

  std::optional<type_index> declaration(int depth) {
    if (depth > deepest) return std::nullopt;
    std::vector<std::string> qualifiers;
    std::string spelling;
    for (std::string_view w = word(); !w.empty(); w = word()) {
      if (w == "const" || w == "volatile") {
        qualifiers.emplace_back(w);
      } else {
        spelling += (spelling.empty() ? "" : " ") + std::string(w);
      }
    }
    if (spelling.empty()) return std::nullopt;
    type_index made = base(spelling);
    for (const std::string& q : qualifiers) made = add({.kind = kind::qualified, .name = q, .target = made});
    std::vector<step> steps;
    if (!declarator(steps, depth)) return std::nullopt;
    for (auto it = steps.rbegin(); it != steps.rend(); ++it) made = apply(*it, made);
    return made;
  }

  // Appends the steps from the name outwards: suffixes bind before the stars in front.
  bool declarator(std::vector<step>& steps, int depth) {
    if (depth > deepest) return false;
    std::vector<step> pointers;
    while (next_is('*') || next_is('&')) {
      step& p = pointers.emplace_back(step{kind::pointer, {}, std::string(text_.substr(0, 1)), {}, {}});
      text_.remove_prefix(1);
      while (next_is('&')) text_.remove_prefix(1);
      for (std::string_view w = word(); !w.empty(); w = word()) p.qualifiers = std::string(w);
    }
    if (next_is('(') && groups()) {
      text_.remove_prefix(1);
      if (!declarator(steps, depth + 1) || !take(')')) return false;
    }
    while (next_is('[') || next_is('(')) {
      if (!(text_.front() == '[' ? bounds(steps) : parameter_list(steps, depth))) return false;
    }
    steps.insert(steps.end(), pointers.rbegin(), pointers.rend());
    return true;
  }

  bool groups() const {
    const std::size_t after = text_.find_first_not_of(" (", 1);
    return after != std::string_view::npos && (text_[after] == '*' || text_[after] == '&');
  }

  bool bounds(std::vector<step>& steps) {
    text_.remove_prefix(1);
    step& array = steps.emplace_back(step{kind::array, {}, {}, {}, {}});
    std::uint64_t length = 0;
    for (; !text_.empty() && text_.front() >= '0' && text_.front() <= '9'; text_.remove_prefix(1)) {
      length = length * 10 + static_cast<std::uint64_t>(text_.front() - '0');
      array.length = length;
    }
    return take(']');
  }

  bool parameter_list(std::vector<step>& steps, int depth) {
    text_.remove_prefix(1);
    step list{kind::function, {}, {}, {}, {}};
    while (!next_is(')')) {
      if (!list.parameters.empty() && !take(',')) return false;
      skip_blanks();
      if (text_.starts_with("...")) {
        text_.remove_prefix(3);
        list.variadic = true;
        break;
      }
      const std::optional<type_index> parameter = declaration(depth + 1);
      if (!parameter) return false;
      list.parameters.push_back(*parameter);
    }
    if (list.parameters == std::vector<type_index>{0}) list.parameters.clear();  // (void)
    steps.push_back(std::move(list));
    return take(')');
  }

  type_index apply(const step& s, type_index target) {
    switch (s.what) {
      case kind::pointer: {
        const type_index made = add({.kind = kind::pointer, .name = s.sign, .target = target});
        return s.qualifiers.empty() ? made : add({.kind = kind::qualified, .name = s.qualifiers, .target = made});
      }
      case kind::array:
        return add(
            {.kind = kind::array, .complete = s.length.has_value(), .size = s.length.value_or(0), .target = target});
      default: {
        type made{.kind = kind::function, .variadic = s.variadic, .target = target};
        for (const type_index parameter : s.parameters) made.members.push_back({.type = parameter});
        return add(std::move(made));
      }
    }
  }

  type_index base(const std::string& spelling) {
    if (spelling == "void") return 0;
    for (const base_type& known : base_types) {
      if (known.spelling == spelling) {
        return add({.kind = kind::base, .encoding = known.means, .name = spelling, .size = known.size});
      }
    }
    const auto tagged = [&](std::string_view keyword, kind what) -> std::optional<type_index> {
      if (!spelling.starts_with(keyword)) return std::nullopt;
      // A header that is included inside a namespace declares the C library's struct all the same.
      std::string name = spelling.substr(std::max(keyword.size(), spelling.rfind(':') + 1));
      return add({.kind = what, .complete = false, .name = std::move(name)});
    };
    if (const auto found = tagged("struct ", kind::structure)) return *found;
    if (const auto found = tagged("union ", kind::unite)) return *found;
    if (const auto found = tagged("enum ", kind::enumeration)) return *found;
    return add({.kind = kind::unknown, .name = spelling});
  }

  type_index add(type made) {
    into_.types.push_back(std::move(made));
    return static_cast<type_index>(into_.types.size() - 1);
  }

  void skip_blanks() {
    while (!text_.empty() && text_.front() == ' ') text_.remove_prefix(1);
  }
  bool next_is(char c) {
    skip_blanks();
    return !text_.empty() && text_.front() == c;
  }
  bool take(char c) {
    if (!next_is(c)) return false;
    text_.remove_prefix(1);
    return true;
  }
  std::string_view word() {
    skip_blanks();
    std::size_t end = 0;
    while (end < text_.size() &&
           (std::isalnum(static_cast<unsigned char>(text_[end])) != 0 || text_[end] == '_' || text_[end] == ':')) {
      ++end;
    }
    const std::string_view found = text_.substr(0, end);
    text_.remove_prefix(end);
    return found;
  }

  description& into_;
  std::string_view text_;
};

// As g++ and clang name the unnamed namespace.
std::string without_unnamed_namespaces(std::string text) {
  for (const std::string_view scope : {"{anonymous}::", "(anonymous namespace)::"}) {
    for (std::size_t at = text.find(scope); at != std::string::npos; at = text.find(scope, at))
      text.erase(at, scope.size());
  }
  return text;
}

}  // namespace

description describe_declared(std::span<const symbol_info> symbols) {
  description made;
  for (const symbol_info& s : symbols) {
    if (s.declaration == nullptr) continue;
    const std::string text = without_unnamed_namespaces(s.declaration(""));
    if (const std::optional<type_index> found = parser(made, text).whole()) {
      made.symbols.push_back({s.name, s.function, *found});
    }
  }
  return made;
}

}  // namespace autoreload::types
