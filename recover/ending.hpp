// SPDX-License-Identifier: MIT
// ending: what is told of a guarded call that did not come back.
#pragma once

#include <autoreload/guarded.hpp>
#include <string>

#include "crash/crash_table.hpp"

namespace autoreload {

/// A place in a generation's code: `parse_line+0x1c (/home/me/foo.c:12)`, as far as its snapshot tells.
[[nodiscard]] std::string words_for_place(const crash_table::entry& generation, std::uintptr_t place);

/// What happened, where, in words: generation, function, source line, address. Reads the generation's snapshot: it has
/// to be pinned, and complete if the line is to be known.
/// @param path  the library as the user named it
[[nodiscard]] error words_for(const detail::landing& call, const std::string& path);

}  // namespace autoreload
