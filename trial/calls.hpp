// SPDX-License-Identifier: MIT
// calls: recorded calls as the trial helper makes them, and what came of them.
#pragma once

#include <span>
#include <string>
#include <vector>

#include <autoreload/call_sample.hpp>

#include "trial/report.h"

namespace autoreload {

/// Whether this machine's trial helper can make calls.
[[nodiscard]] bool can_repeat_calls() noexcept;

/// The functions, each once.
[[nodiscard]] std::vector<std::string> functions_of(std::span<const recorded_call> calls);

/// Writes the calls for the helper. @param into  as many  @param functions  functions_of(calls)
void write_calls(std::span<const recorded_call> calls, std::span<const std::string> functions, trial_call* into);

/// What the new build answers otherwise, in a sentence; empty if nothing. Both made all calls.
/// @param before  the running generation's answers
/// @param after   the new build's
[[nodiscard]] std::string differences(std::span<const recorded_call> calls, const trial_call* before,
                                      const trial_call* after);

}  // namespace autoreload
