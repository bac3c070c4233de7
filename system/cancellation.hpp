// SPDX-License-Identifier: MIT
// cancellation: what pthread_cancel throws through C++ code. A catch (...) around the host's code must let it pass, or
// a cancelled thread is held up and the C++ runtime ends the program.
#pragma once

#include <cxxabi.h>

#include <exception>  // defines __GLIBCXX__ where it is libstdc++'s

namespace autoreload {

#ifdef __GLIBCXX__
using cancellation = abi::__forced_unwind;
#else
struct cancellation {};  // never thrown: elsewhere a cancellation is nothing that catch (...) sees
#endif

}  // namespace autoreload
