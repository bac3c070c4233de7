// SPDX-License-Identifier: MIT
// language: ends a compilation for an older C++ at once, with one sentence.
#pragma once

#if __cplusplus <= 201703L
#error "autoreload needs C++20: compile with -std=c++20 or newer"
#include "compile with -std=c++20"  // the compiler stops at a file that isn't there, before hundreds of errors
#endif
