// SPDX-License-Identifier: MIT
// left_behind: what a generation leaves in the process that would run or read its memory after it is unloaded.
#pragma once

#include <string>

#include "reload/generation.hpp"

namespace autoreload {

/// Why this generation must never be unloaded, or empty: an exception of its own was thrown out of it, or its successor
/// has pointers into it.
[[nodiscard]] std::string why_kept(const generation& one);

/// Keeps the system's libraries that this one brought along loaded for good, before it is closed: they may have started
/// threads of their own, as libgomp does, which go on when the library that needed them is gone. Once for each of them.
void hold_system_libraries(const generation& one);

}  // namespace autoreload
