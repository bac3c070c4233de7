// SPDX-License-Identifier: MIT
// crash_words: where a process crashed, in one line.
#pragma once

#include <sys/types.h>

#include <string>

#include "worker_wire.hpp"

namespace autoreload::command {

/// `SIGSEGV in poke at lib.c:12, address 0x0`; for a crash in another library also who called it.
/// @param child    the process, which waits in its handler: its mappings are read
/// @param library  the file that is loaded in it, as dlopen got it
[[nodiscard]] std::string crash_words(const crash_record& crash, pid_t child, const std::string& library);

}  // namespace autoreload::command
