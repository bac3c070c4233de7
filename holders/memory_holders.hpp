// SPDX-License-Identifier: MIT
// memory_holders: who in the process's memory has a pointer into the library.
#pragma once

#include <atomic>

#include <autoreload/unload.hpp>

#include "holders/target.hpp"
#include "holders/threads.hpp"
#include "holders/words.hpp"

namespace autoreload::holding {

/// Adds them to the report. @throws std::bad_alloc
void memory_holders(const naming& names, const target& what, const thread_findings& threads,
                    const std::atomic<bool>* cancelled, holder_report& report);

}  // namespace autoreload::holding
