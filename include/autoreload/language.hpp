// SPDX-License-Identifier: MIT
// language: what every public header needs first: C++20, and the mark of what the shared library exports.
#pragma once

#if __cplusplus <= 201703L
#error "autoreload needs C++20: compile with -std=c++20 or newer"
#include "compile with -std=c++20"  // the compiler stops at a file that isn't there, before hundreds of errors
#endif

// The library itself hides all that isn't marked. A host that hides its own symbols must not hide these: one that
// caught an exception by a type information of its own would miss ours (libc++ compares addresses, not names).
#define AUTORELOAD_API __attribute__((visibility("default")))
