// SPDX-License-Identifier: MIT
// api_types: first every type gets a name that C++ can write, then what a type needs is written before it.
#include "api_types.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "types/shape.hpp"
#include "types/spell.hpp"

namespace autoreload::command {

namespace {

using types::kind;
using types::type_index;

// Types of the C library, which a host has from its own headers.
constexpr std::array<std::pair<std::string_view, std::string_view>, 22> known_aliases{
    {{"size_t", "std::size_t"},
     {"ptrdiff_t", "std::ptrdiff_t"},
     {"int8_t", "std::int8_t"},
     {"int16_t", "std::int16_t"},
     {"int32_t", "std::int32_t"},
     {"int64_t", "std::int64_t"},
     {"uint8_t", "std::uint8_t"},
     {"uint16_t", "std::uint16_t"},
     {"uint32_t", "std::uint32_t"},
     {"uint64_t", "std::uint64_t"},
     {"intptr_t", "std::intptr_t"},
     {"uintptr_t", "std::uintptr_t"},
     {"intmax_t", "std::intmax_t"},
     {"uintmax_t", "std::uintmax_t"},
     {"FILE", "std::FILE"},
     {"time_t", "std::time_t"},
     {"clock_t", "std::clock_t"},
     {"va_list", "std::va_list"},
     {"__gnuc_va_list", "std::va_list"},
     {"wchar_t", "wchar_t"},
     {"off_t", "::off_t"},
     {"ssize_t", "::ssize_t"}}};

constexpr std::array<std::string_view, 44> cpp_words{
    "and",       "asm",       "bitand",    "bitor",    "catch",         "class",    "compl",    "concept",
    "consteval", "constexpr", "constinit", "decltype", "delete",        "export",   "friend",   "explicit",
    "mutable",   "namespace", "new",       "noexcept", "not",           "nullptr",  "operator", "or",
    "private",   "protected", "public",    "requires", "static_assert", "template", "this",     "thread_local",
    "throw",     "true",      "false",     "try",      "typeid",        "typename", "using",    "virtual",
    "xor",       "alignas",   "alignof",   "bool"};

std::string cpp_name(const std::string& name) {
  return std::ranges::find(cpp_words, name) != cpp_words.end() ? name + "_" : name;
}

class writer {
 public:
  explicit writer(types::description types) : types_(std::move(types)) { name_all(); }

  /// Writes what the type needs. False when it can't be written in C++.
  bool need(type_index index) { return need(index, true, 0); }
  [[nodiscard]] const types::description& types() const { return types_; }
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  // Unnamed structs get their typedef's name, and words of C's become C++'s: then types::spell() writes C++.
  void name_all() {
    for (type_index i = 0; i < types_.types.size(); ++i) {
      types::type& t = types_.types[i];
      if (t.kind == kind::qualified && t.name == "restrict") t.name = "__restrict";
      if (t.kind == kind::base && t.name == "_Bool") t.name = "bool";
      // `struct __va_list_tag *` is what a va_list is passed as.
      if (t.kind == kind::pointer && types_.at(t.target).name == "__va_list_tag") {
        t = {.kind = kind::alias, .name = "va_list", .target = t.target};
      }
      if (t.kind == kind::alias) {
        for (const auto& [name, known] : known_aliases) {
          if (t.name == name) host_has_.emplace(i), t.name = known;
        }
        if (host_has_.contains(i)) continue;
        types::type& target = types_.types[t.target];
        if (types::has_tag(target.kind) && target.name.empty()) {
          target.name = cpp_name(t.name);
          unnamed_.insert(t.target);
        }
        t.name = cpp_name(t.name);
      } else if (types::has_tag(t.kind)) {
        t.name = cpp_name(t.name);
      }
    }
  }

  // @param whole  it is not only pointed to
  bool need(type_index index, bool whole, int depth) {
    if (depth > 200 || host_has_.contains(index)) return depth <= 200;
    const auto [known, fresh] = needed_.try_emplace(std::pair{index, whole}, true);
    if (!fresh) return known->second;
    const bool can = write(index, whole, depth);
    needed_[{index, whole}] = can;
    return can;
  }

  bool write(type_index index, bool whole, int depth) {
    const types::type& t = types_.at(index);
    switch (t.kind) {
      case kind::nothing:
      case kind::base: return t.encoding != types::encoding::other || t.kind == kind::nothing;
      case kind::qualified: return t.name != "_Atomic" && need(t.target, whole, depth + 1);
      case kind::pointer: return need(t.target, false, depth + 1);
      case kind::array: return need(t.target, true, depth + 1);
      case kind::function:
        return need(t.target, false, depth + 1) &&
               std::ranges::all_of(t.members, [&](const types::member& m) { return need(m.type, false, depth + 1); });
      case kind::alias: {
        if (!need(t.target, whole, depth + 1)) return false;
        const types::type& target = types_.at(t.target);
        const bool same_name = types::has_tag(target.kind) && target.name == t.name;
        if (!same_name && written_.insert("typedef " + t.name).second)
          text_ += "typedef " + types::spell(types_, t.target, t.name) + ";\n";
        return true;
      }
      case kind::enumeration: return write_enumeration(t);
      case kind::structure:
      case kind::unite: return write_compound(index, whole, depth);
      default: return false;
    }
  }

  static std::string constants(const types::type& t) {
    std::string text = "{";
    for (const types::member& m : t.members) {
      text += (text.size() > 1 ? ", " : " ") + cpp_name(m.name) + " = " + std::to_string(m.value);
    }
    return text + " }";
  }

  bool write_enumeration(const types::type& t) {
    if (t.name.empty() || !written_.insert("enum " + t.name).second) return !t.name.empty();
    // The integer under it is told, so that it stays as large as in C.
    const types::type& under = types_.at(types::strip(types_, t.target).index);
    const std::string integer = under.kind == kind::base ? " : " + under.name : "";
    text_ += "enum " + t.name + integer + " " + constants(t) + ";\n";
    return true;
  }

  bool write_compound(type_index index, bool whole, int depth) {
    const types::type& t = types_.at(index);
    if (t.name.empty()) return false;  // inside of another: written there
    const std::string tag = types::spell_tag(t);
    if (written_.insert("declared " + tag).second) text_ += tag + ";\n";
    if (!t.complete) return true;
    if (!whole && !later_.contains(index)) {
      later_.insert(index);
      return true;
    }
    if (defined_.contains(tag)) return true;
    defined_.insert(tag);
    std::string body;
    if (!fields(t, "  ", body, depth)) return false;
    const std::string keyword = t.kind == kind::structure ? "struct" : "union";
    text_ += keyword + attributes(t) + " " + t.name + " {\n" + body + "};\n";
    text_ += "static_assert(sizeof(" + tag + ") == " + std::to_string(t.size) + ");\n";
    return true;
  }

  std::string attributes(const types::type& t) const {
    std::uint64_t strictest = 1;
    bool packed = false;
    for (const types::member& m : t.members) {
      const std::uint64_t alignment = std::max<std::uint64_t>(1, types::alignment_of(types_, m.type));
      if (m.bit_size == 0) packed |= m.bit_offset / 8 % alignment != 0;
      strictest = std::max(strictest, alignment);
    }
    packed |= t.size % strictest != 0;
    std::string text;
    if (packed) text += " __attribute__((packed))";
    if (t.alignment != 0) text += " __attribute__((aligned(" + std::to_string(t.alignment) + ")))";
    return text;
  }

  bool fields(const types::type& t, const std::string& indent, std::string& body, int depth) {
    std::uint64_t reached = 0;  // bits
    for (const types::member& m : t.members) {
      if (m.bit_size != 0 && t.kind == kind::structure && m.bit_offset > reached && m.bit_offset - reached < 64) {
        // Bits that nobody named.
        body += indent + types::spell(types_, m.type, ": " + std::to_string(m.bit_offset - reached)) + ";\n";
      }
      reached = m.bit_offset + m.bit_size;
      const std::string name = cpp_name(m.name) + (m.bit_size != 0 ? " : " + std::to_string(m.bit_size) : "");
      const type_index bare = types::strip(types_, m.type).index;
      const types::type& inner = types_.at(bare);
      if (m.bit_size == 0) reached = m.bit_offset + 8 * size_of(m.type);
      if (inner.name.empty() && (inner.kind == kind::structure || inner.kind == kind::unite)) {
        std::string part;
        if (depth > types::deepest || !fields(inner, indent + "  ", part, depth + 1)) return false;
        body += indent + (inner.kind == kind::structure ? "struct" : "union") + attributes(inner) + " {\n" + part +
                indent + "} " + name + ";\n";
      } else if (inner.name.empty() && inner.kind == kind::enumeration) {
        body += indent + "enum " + constants(inner) + " " + name + ";\n";
      } else {
        // A type that is written here goes before this one.
        if (!need(m.type, true, depth + 1)) return false;
        body += indent + types::spell(types_, m.type, name) + ";\n";
      }
    }
    return true;
  }

  std::uint64_t size_of(type_index index) const {
    const types::type& t = types_.at(types::strip(types_, index).index);
    if (t.kind == kind::array) return t.size * size_of(t.target);
    return t.kind == kind::pointer ? sizeof(void*) : t.size;
  }

 public:
  /// Defines what was only pointed to so far.
  void finish() {
    for (bool more = true; more;) {
      more = false;
      const std::set<type_index> now = later_;
      for (const type_index index : now) {
        if (!finished_.insert(index).second) continue;
        more = true;
        need(index, true, 0);
      }
    }
  }

 private:
  types::description types_;
  std::string text_;
  std::set<type_index> host_has_;
  std::set<type_index> unnamed_;
  std::set<type_index> later_;
  std::set<type_index> finished_;
  std::set<std::string> written_;
  std::set<std::string> defined_;
  std::map<std::pair<type_index, bool>, bool> needed_;
};

}  // namespace

std::string api_from_types(const types::description& types, const std::vector<std::string>& symbols,
                           const std::string& name, std::size_t& left_out) {
  writer all(types);
  std::string fields;
  for (const std::string& symbol : symbols) {
    const types::symbol* const s = types.find(symbol);
    if (s == nullptr || !all.need(s->type)) {
      ++left_out;
      continue;
    }
    fields += "  autoreload::required_as<\"" + symbol + "\", " + types::spell(all.types(), s->type) + "> " +
              cpp_name(symbol) + ";\n";
  }
  all.finish();
  const std::string space = name + "_types";
  return "#include <sys/types.h>\n\n#include <cstdarg>\n#include <cstddef>\n#include <cstdint>\n#include "
         "<cstdio>\n#include "
         "<ctime>\n\n#include <autoreload/autoreload.hpp>\n\n"
         "// The types as the library was compiled for them.\n"
         "#pragma GCC diagnostic push\n#pragma GCC diagnostic ignored \"-Wpedantic\"\nnamespace " +
         space + " {\n\n" + all.text() + "\nstruct " + name + " {\n" + fields + "};\n\n}  // namespace " + space +
         "\n#pragma GCC diagnostic pop\nusing " + space + "::" + name + ";\n";
}

}  // namespace autoreload::command
