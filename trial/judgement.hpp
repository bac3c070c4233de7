// SPDX-License-Identifier: MIT
// judgement: what the helper's end says about the library.
#pragma once

#include <optional>
#include <string>

#include "trial/report.h"
#include "trial/trial.hpp"

namespace autoreload {

/// The name of a test that a library has of its own accord.
inline constexpr const char* own_test = "autoreload_selftest";

/// The file that the environment names as the helper, or null.
[[nodiscard]] const char* other_helper();

/// Whether an errno says that something has run out which may be there again later.
[[nodiscard]] bool is_passing(int number);

/// What is wrong, or nothing. @param snapshot  descriptor of the library's file, for the place of a crash
[[nodiscard]] std::optional<setback> judge_trial(const trial_report& report, const std::string& path,
                                                 const trial_options& options, int snapshot);

}  // namespace autoreload
