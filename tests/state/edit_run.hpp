// SPDX-License-Identifier: MIT
// edit_run: runs every edit of the list through one handover of each build: values are set in the version that is
// loaded first, carried, and read by functions of the other.
#pragma once

#include <algorithm>
#include <array>
#include <cctype>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "edit_list.hpp"
#include "loaded.hpp"

namespace autoreload_test {

inline constexpr std::array builds{"gcc_O0", "gcc_O2", "clang_O0", "clang_O2"};

inline std::string library(const std::string& build, bool after) {
  return std::string(AUTORELOAD_EDITS) + "/state_" + (after ? "after_" : "before_") + build + ".so";
}

// A build's handover in one direction, and what came of it.
struct handover {
  handover(const std::string& build, bool back) : from(library(build, back)) {
    for (std::size_t i = 0; i < edits().size(); ++i) {
      if (!back || edits()[i].back) from.get<void()>("set_" + std::to_string(i))();
    }
    to.emplace(library(build, !back));
    outcome.emplace(carry(*patient(), from, *to));
  }

  loaded from;
  std::optional<loaded> to;
  std::optional<autoreload::result<autoreload::state_report>> outcome;
};

inline const handover& carried(const std::string& build, bool back) {
  static std::map<std::pair<std::string, bool>, std::unique_ptr<handover>> all;
  std::unique_ptr<handover>& one = all[{build, back}];
  if (!one) one = std::make_unique<handover>(build, back);
  return *one;
}

// Whether a C source speaks of the name.
inline bool mentions(std::string_view source, std::string_view name) {
  const auto part = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; };
  for (std::size_t at = source.find(name); at != std::string_view::npos; at = source.find(name, at + 1)) {
    const std::size_t end = at + name.size();
    if ((at == 0 || !part(source[at - 1])) && (end == source.size() || !part(source[end]))) return true;
  }
  return false;
}

inline std::vector<std::string> said_of(const edit& e, const autoreload::state_report& report) {
  std::vector<std::string> said;
  for (const autoreload::state_remark& r : report.remarks) {
    const std::size_t tag = r.variable.compare(0, 7, "struct ") == 0 ? 7 : 0;
    const std::string root = r.variable.substr(tag, r.variable.find_first_of(".[ ", tag) - tag);
    const bool padding = root.size() > 4 && root.compare(root.size() - 4, 4, "_pad") == 0;
    if (!padding && mentions(e.source, root)) said.push_back(text_of(r));
  }
  return said;
}

// `reset speed: its initialiser`: the remark begins with what stands before the colon and has the rest in its text.
inline bool is_said(const std::string& wanted, const std::string& remark) {
  const std::size_t colon = wanted.find(": ");
  return remark.compare(0, colon + 2, wanted, 0, colon + 2) == 0 &&
         remark.find(wanted.substr(colon + 2), colon) != std::string::npos;
}

}  // namespace autoreload_test
