// SPDX-License-Identifier: MIT
// other_ways: what to compare a reload with: the loader's own share, and what a program does that copies the file
// first.
#pragma once

#include <chrono>

#include "subject.hpp"

namespace bench {

/// From a new file to its first value: dlopen, dlsym and the call, nothing checked and nothing watched. The file is as
/// new to the system as the one that an engine is given: made by subject::stage().
/// @throws std::runtime_error when it can't be loaded
[[nodiscard]] std::chrono::steady_clock::duration open_it_bare(const subject& of);

/// The same with a copy made first, by the fastest call that the standard library knows, in the same directory: so that
/// the build may write the file again. It is not checked either.
[[nodiscard]] std::chrono::steady_clock::duration copy_and_open_it(const subject& of);

}  // namespace bench
