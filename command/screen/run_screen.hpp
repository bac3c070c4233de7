// SPDX-License-Identifier: MIT
// run_screen: `autoreload run` on a terminal.
#pragma once

#include "options.hpp"

namespace autoreload::command {

/// Shows a library that is run, and takes keys, until the person or a signal ends it. @return an exit status
[[nodiscard]] int run_on_screen(const run_options& options);

}  // namespace autoreload::command
