// SPDX-License-Identifier: MIT
// description: to bytes and back; whatever comes back is checked, because the helper reads files that may be damaged.
#include "types/description.hpp"

#include <algorithm>

#include "types/wire.hpp"

namespace autoreload::types {

namespace {

constexpr std::string_view opening = "autoreload-abi-4";
constexpr std::string_view closing = "complete";

std::string printable(std::string_view text) {
  std::string clean(text.substr(0, 200));
  std::ranges::replace_if(
      clean, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, '?');
  return clean;
}

void encode_state(const description& from, wire_writer& out) {
  out.number(from.variables.size());
  for (const variable& v : from.variables) {
    out.text(v.unit);
    out.text(v.function);
    out.text(v.name);
    out.number(v.order);
    out.number(v.exported ? 1 : 0);
    out.number(v.type);
    out.number(static_cast<std::uint64_t>(v.storage));
    out.number(v.parts.size());
    for (const variable_part& p : v.parts) {
      out.number(p.offset);
      out.number(p.size);
      out.number(p.address);
      out.number(p.two_valued ? 1 : 0);
      out.number(p.clear);
      out.number(p.set);
    }
  }
  out.number(from.functions.size());
  for (const code& c : from.functions) {
    out.text(c.unit);
    out.text(c.name);
    out.number(c.exported ? 1 : 0);
    out.number(c.address);
    out.number(c.type);
  }
}

template <class Index>
void decode_state(wire_reader& in, Index index, description& into) {
  for (std::uint64_t left = in.count(); left != 0 && in.good(); --left) {
    variable& v = into.variables.emplace_back();
    v.unit = printable(in.text());
    v.function = printable(in.text());
    v.name = printable(in.text());
    v.order = in.number();
    v.exported = in.number() != 0;
    v.type = index();
    v.storage = static_cast<storage>(std::min<std::uint64_t>(in.number(), last_storage));
    for (std::uint64_t parts = in.count(); parts != 0 && in.good(); --parts) {
      variable_part& p = v.parts.emplace_back();
      p.offset = in.number();
      p.size = in.number();
      p.address = in.number();
      p.two_valued = in.number() != 0;
      p.clear = in.number();
      p.set = in.number();
    }
  }
  for (std::uint64_t left = in.count(); left != 0 && in.good(); --left) {
    code& c = into.functions.emplace_back();
    c.unit = printable(in.text());
    c.name = printable(in.text());
    c.exported = in.number() != 0;
    c.address = in.number();
    c.type = index();
  }
}

}  // namespace

const symbol* description::find(std::string_view name) const {
  const auto found = std::ranges::find(symbols, name, &symbol::name);
  return found == symbols.end() ? nullptr : &*found;
}

std::string encode(const description& from) {
  wire_writer out;
  out.text(opening);
  out.number(from.types.size());
  for (const type& t : from.types) {
    out.number(static_cast<std::uint64_t>(t.kind));
    out.number(static_cast<std::uint64_t>(t.encoding));
    out.number((t.complete ? 1U : 0U) | (t.variadic ? 2U : 0U));
    out.text(t.name);
    out.number(t.size);
    out.number(t.alignment);
    out.number(t.target);
    out.number(t.members.size());
    for (const member& m : t.members) {
      out.text(m.name);
      out.number(m.type);
      out.number(m.bit_offset);
      out.number(m.bit_size);
      out.number(m.alignment);
      out.number(static_cast<std::uint64_t>(m.value));
    }
  }
  out.number(from.symbols.size());
  for (const symbol& s : from.symbols) {
    out.text(s.name);
    out.number(s.function ? 1 : 0);
    out.number(s.type);
    out.number(static_cast<std::uint64_t>(s.written_in));
  }
  encode_state(from, out);
  out.number(from.problems.size());
  for (const std::string& problem : from.problems) out.text(problem);
  out.text(closing);
  return out.take();
}

std::optional<description> decode(std::string_view bytes) {
  wire_reader in(bytes);
  if (in.text() != opening) return std::nullopt;
  description into;
  const std::uint64_t types = in.count();
  if (types == 0) return std::nullopt;
  const auto index = [&]() -> type_index {
    const std::uint64_t value = in.number();
    return value < types ? static_cast<type_index>(value) : 0;
  };
  into.types.clear();
  for (std::uint64_t i = 0; i < types && in.good(); ++i) {
    type& t = into.types.emplace_back();
    t.kind = static_cast<kind>(std::min<std::uint64_t>(in.number(), last_kind));
    t.encoding = static_cast<encoding>(std::min<std::uint64_t>(in.number(), last_encoding));
    const std::uint64_t flags = in.number();
    t.complete = (flags & 1) != 0;
    t.variadic = (flags & 2) != 0;
    t.name = printable(in.text());
    t.size = in.number();
    t.alignment = in.number();
    t.target = index();
    const std::uint64_t members = in.count();
    for (std::uint64_t j = 0; j < members && in.good(); ++j) {
      member& m = t.members.emplace_back();
      m.name = printable(in.text());
      m.type = index();
      m.bit_offset = in.number();
      m.bit_size = in.number();
      m.alignment = in.number();
      m.value = static_cast<std::int64_t>(in.number());
    }
  }
  const std::uint64_t symbols = in.count();
  for (std::uint64_t i = 0; i < symbols && in.good(); ++i) {
    symbol& s = into.symbols.emplace_back();
    s.name = in.text();
    s.function = in.number() != 0;
    s.type = index();
    s.written_in = static_cast<language>(std::min<std::uint64_t>(in.number(), last_language));
  }
  decode_state(in, index, into);
  const std::uint64_t problems = in.count();
  for (std::uint64_t i = 0; i < problems && in.good(); ++i) into.problems.push_back(printable(in.text()));
  if (in.text() != closing || !in.good() || !in.at_end()) return std::nullopt;
  into.types.front() = type{.kind = kind::nothing, .name = "void"};
  return into;
}

}  // namespace autoreload::types
