// SPDX-License-Identifier: MIT
// remarks: gathers what there is to say, each thing once, and not more than a person reads.
#pragma once

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include <autoreload/state.hpp>

namespace autoreload::state {

class remarks {
 public:
  /// What follows speaks of this function's variables; of a file's own when it is empty.
  void inside(const std::string& function) { suffix_ = function.empty() ? "" : " in " + function + "()"; }
  void add(state_fate fate, std::string variable, std::string text) {
    variable += suffix_;
    const bool known = std::any_of(list_.begin(), list_.end(), [&](const state_remark& r) {
      return r.fate == fate && r.variable == variable && r.text == text;
    });
    if (known) return;
    if (list_.size() < most) {
      list_.push_back({fate, std::move(variable), std::move(text)});
    } else {
      ++unsaid_;
    }
  }
  [[nodiscard]] std::vector<state_remark> take() && {
    if (unsaid_ != 0) list_.push_back({state_fate::reset, "and more", std::to_string(unsaid_) + " further remarks"});
    return std::move(list_);
  }

 private:
  static constexpr std::size_t most = 200;
  std::vector<state_remark> list_;
  std::string suffix_;
  std::size_t unsaid_ = 0;
};

}  // namespace autoreload::state
