// SPDX-License-Identifier: MIT
// layout_text: as many lines as a person reads.
#include "state/layout_text.hpp"

#include <algorithm>
#include <vector>

#include "types/spell.hpp"

namespace autoreload::state {

namespace {

constexpr std::size_t most_lines = 40;

std::vector<std::string> lines_of(typed of) {
  std::vector<std::string> lines{types::spell_tag(of.bare().type()) + ", " + std::to_string(size_of(of)) + " bytes"};
  for (const slot& s : slots_of(of)) {
    if (lines.size() > most_lines) {
      lines.emplace_back("…");
      break;
    }
    const std::string bits = s.bit_size == 0 ? "" : " : " + std::to_string(s.bit_size);
    lines.push_back(std::to_string(s.bit_offset / 8) + ": " + types::spell(*of.in, s.type, s.name) + bits);
  }
  return lines;
}

}  // namespace

std::string side_by_side(typed was, typed is) {
  const std::vector<std::string> a = lines_of(was);
  const std::vector<std::string> b = lines_of(is);
  std::size_t width = 0;
  for (const std::string& line : a) width = std::max(width, line.size());
  std::string text;
  for (std::size_t i = 0; i < std::max(a.size(), b.size()); ++i) {
    const std::string left = i < a.size() ? a[i] : "";
    text += (text.empty() ? "  " : "\n  ") + left + std::string(width - left.size(), ' ') + " | ";
    text += i < b.size() ? b[i] : "";
  }
  return text;
}

std::string migration_name(typed of) {
  const std::string& tag = of.bare().type().name;
  return (tag.empty() ? "object" : tag) + "_migrate";
}

std::string migration_prototype(typed of) {
  const types::type& t = of.bare().type();
  const std::string tag = types::spell_tag(t);
  const std::string name = t.name.empty() ? "object" : t.name;
  return "void " + migration_name(of) + "(" + tag + " *new_" + name + ", const " + tag + "_before *old_" + name + ")";
}

}  // namespace autoreload::state
