// SPDX-License-Identifier: MIT
// nearest: "did you mean".
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace autoreload {

/// The edits (a letter put in, taken out or replaced) that lead from one name to another.
[[nodiscard]] inline std::size_t edits_between(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row[b.size()];
}

/// The most similar of the names that is another, or nothing.
/// @param most  edits: farther than that is another word, not a slip
[[nodiscard]] inline std::string nearest_name(std::string_view wanted, const std::vector<std::string>& names,
                                              std::size_t most) {
  std::string best;
  std::size_t least = most + 1;
  for (const std::string& name : names) {
    const std::size_t gap = name.size() > wanted.size() ? name.size() - wanted.size() : wanted.size() - name.size();
    if (gap >= least || name == wanted) continue;
    if (const std::size_t edits = edits_between(wanted, name); edits < least) {
      least = edits;
      best = name;
    }
  }
  return best;
}

}  // namespace autoreload
