// SPDX-License-Identifier: MIT
// worker_child: the process that has the library.
#pragma once

#include <sys/types.h>

#include <string>

#include "worker.hpp"

namespace autoreload::command {

/// Loads the library, says so, and evaluates what is asked until nobody asks.
/// @param requests  expressions come from here
/// @param answers   messages go there
/// @param parent    whose death ends it
[[noreturn]] void serve_expressions(const std::string& path, type_table types, const worker_options& options,
                                    int requests, int answers, pid_t parent);

}  // namespace autoreload::command
