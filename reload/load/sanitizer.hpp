// SPDX-License-Identifier: MIT
// sanitizer: a library that is built for a sanitizer, in a process that is not.
#pragma once

#include <optional>

#include <autoreload/error.hpp>

#include "reload/inspect/inspect.hpp"

namespace autoreload {

/// The runtime of a sanitizer must be in a process from its start. That of gcc's -fsanitize=address ends the process
/// when it comes later; the others' don't load, for want of room or of symbols.
///
/// @param facts  what the inspector read of it
/// @return why it can't be loaded into this process, without the path, or nothing
/// Thread-safety: any thread; takes the loader's lock when the library is built for a sanitizer.
[[nodiscard]] std::optional<error> lacks_sanitizer(const elf_facts& facts);

}  // namespace autoreload
