// SPDX-License-Identifier: MIT
// generate: completion scripts and the manual page, from the command line's own description.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace autoreload::command {

/// Writes to standard output.
/// @param what  bash, zsh, fish or man
/// @return an exit status
[[nodiscard]] int generate(const CLI::App& app, const std::string& what);

}  // namespace autoreload::command
