// SPDX-License-Identifier: MIT
// crash_words: where a process crashed, in one line.
#pragma once

#include <sys/types.h>

#include <string>

#include "worker_wire.hpp"

namespace autoreload::command {

/// Where a process crashed.
struct crash_place {
  std::string words;   ///< `SIGSEGV in poke at lib.c:12, address 0x0`; in another library also who called it
  std::string file{};  ///< the library's source, as the debug information names it; empty when it isn't known
  unsigned line = 0;   ///< from 1
};

/// @param child    the process, which waits in its handler: its mappings are read
/// @param library  the file that is loaded in it, as dlopen got it
[[nodiscard]] crash_place crash_place_of(const crash_record& crash, pid_t child, const std::string& library);

}  // namespace autoreload::command
