// SPDX-License-Identifier: MIT
// leaving: whether a build may be unloaded in the middle of a program, once nobody can come back to it.
#pragma once

#include <string>

#include "exec/exports.hpp"

namespace autoreload::exec {

/// A build with destructors stays: they would run on variables that it shares with the newest build.
/// @param file  an inspected library
/// @return why it stays, as half a sentence; empty: it may go
[[nodiscard]] std::string why_it_stays(const elf_view& file, const dynamic_tables& tables);

}  // namespace autoreload::exec
