// SPDX-License-Identifier: MIT
// crash_text: words a crash report, in memory that is there already.
#pragma once

#include "crash/culprit.hpp"

namespace autoreload {

/// Writes what was found to a descriptor. Reads the generation's snapshot, which may be damaged: only in a process that
/// may end by it. One thread at a time.
/// @param lines  name the source's line, too
void tell_of(const incident& what, const finding& found, bool lines, int descriptor) noexcept;

}  // namespace autoreload
