// SPDX-License-Identifier: MIT
// run_lines: what happens to a live library, as lines: values on standard output, all else on standard error.
#pragma once

#include "live_library.hpp"

namespace autoreload::command {

class run_lines : public run_observer {
 public:
  void loaded(const run_state& now) override;
  void answered(const watched_call& call, const reply& came, bool is_new) override;
  void failed(const std::string& text) override;
  void noted(const std::string& text) override;
};

/// `12 ms`, `1.4 s`, `3 min`: to three digits at most.
[[nodiscard]] std::string duration_text(std::chrono::nanoseconds time);

}  // namespace autoreload::command
