// SPDX-License-Identifier: MIT
// counters: what ./dev coverage counts in children of a test, which end by a signal or by _exit and so keep nothing.
#pragma once

#include <csignal>

#ifdef COUNTERS_OF_CHILDREN
extern "C" void __gcov_dump();
#endif

namespace support {

inline void keep_counters() {
#ifdef COUNTERS_OF_CHILDREN
  __gcov_dump();
#endif
}

/// Sets handlers for crashes that keep the counters and let the signal end the process as it would have.
inline void keep_counters_in_a_crash() {
#ifdef COUNTERS_OF_CHILDREN
  for (const int crash : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP}) {
    std::signal(crash, [](int number) {
      keep_counters();
      std::signal(number, SIG_DFL);
      std::raise(number);
    });
  }
#endif
}

}  // namespace support
