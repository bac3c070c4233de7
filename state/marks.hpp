// SPDX-License-Identifier: MIT
// marks: what the source or the host says of a variable: keep it, start it anew, or a version.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <autoreload/automatic_state.hpp>

#include "state/side.hpp"

namespace autoreload::state {

/// A mark is the section that a variable is put in: the one thing that gcc and clang both keep, with and without
/// optimisation, of what is written beside a variable.
[[nodiscard]] inline std::string_view section_of(const side& in, const types::variable& v) {
  return v.parts.empty() ? std::string_view{} : in.file->section(v.parts.front().address);
}

[[nodiscard]] inline bool is_listed(const std::vector<std::string>& names, const types::variable& v) {
  return std::find(names.begin(), names.end(), called(v)) != names.end() ||
         std::find(names.begin(), names.end(), v.name) != names.end();
}

[[nodiscard]] inline bool marked_keep(const state_options& options, const side& in, const types::variable& v) {
  return is_listed(options.keep, v) || section_of(in, v) == options.keep_section;
}

/// Why a variable starts anew, if a mark says so.
[[nodiscard]] inline std::optional<std::string> marked_fresh(const state_options& options, const side& was,
                                                             const types::variable& before, const side& is,
                                                             const types::variable& now) {
  if (is_listed(options.fresh, now)) return "the host wants it to start anew";
  const std::string_view section = section_of(is, now);
  if (section == options.fresh_section) return "the source marks it to start anew";
  const auto version = [&](std::string_view s) {
    return s.substr(0, options.version_section.size()) == options.version_section
               ? s.substr(options.version_section.size())
               : std::string_view{};
  };
  const std::string_view a = version(section_of(was, before));
  const std::string_view b = version(section);
  if (a == b) return std::nullopt;
  const auto say = [](std::string_view v) { return v.empty() ? std::string("none") : std::string(v); };
  return "its version " + say(a) + " became " + say(b);
}

}  // namespace autoreload::state
