// SPDX-License-Identifier: MIT
// state: a report of what was carried over, in words.
#include <autoreload/state.hpp>

namespace autoreload {
namespace {

constexpr std::size_t most_remarks = 8;  // of a long report: the rest is counted

std::string_view word_of(state_fate fate) {
  switch (fate) {
    case state_fate::kept: return "kept";
    case state_fate::converted: return "converted";
    case state_fate::reset: return "reset";
    case state_fate::dropped: return "dropped";
    case state_fate::dangling: return "points into the old version, which stays loaded";
  }
  return "unknown";
}

}  // namespace

std::string to_string(const state_report& report) {
  std::string words = "kept " + std::to_string(report.kept) + " of " + std::to_string(report.variables) + " variables";
  std::size_t count = 0;
  for (const state_remark& one : report.remarks) {
    if (++count > most_remarks) continue;
    words += "; `" + one.variable + "` ";
    // A conversion speaks for itself: `world.speed` float → double.
    const bool says_all = one.fate == state_fate::converted && !one.text.empty();
    if (!says_all) words += word_of(one.fate);
    if (!one.text.empty()) words += (says_all ? "" : ": ") + one.text;
  }
  if (count > most_remarks) words += "; and " + std::to_string(count - most_remarks) + " more";
  return words;
}

}  // namespace autoreload
