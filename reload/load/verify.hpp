// SPDX-License-Identifier: MIT
// verify: looks at a loaded library before anybody calls it: is it the new one, and are its symbols its own.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <autoreload/engine.hpp>

#include "reload/inspect/inspect.hpp"
#include "reload/snapshot/snapshot.hpp"

namespace autoreload {

struct verification {
  std::uintptr_t base = 0;            ///< where the library's address 0 is in memory
  std::optional<error> failure;       ///< of stage verify: don't publish it
  std::vector<std::string> warnings;  ///< it runs, but not quite as its source says
};

/// - The loader gave the library that was asked for, and not one that it had.
/// - Every required symbol lies in this library or in one of the user's that it needs, functions in code. dlsym also
///   looks in the system's libraries, so a function that was removed may be answered by libc's of that name: such a one
///   is refused, and an optional one is made absent.
/// - What the library calls of itself is bound to itself: an equal name in the host, or in a library loaded with
///   RTLD_GLOBAL, wins over its own. That is a warning.
/// - What it calls of other libraries is bound to the versions that the program is bound to, too. That is a warning.
/// @param bytes  the inspected file
[[nodiscard]] verification verify(const detail::loader& api, const std::string& path, const snapshot& image,
                                  std::span<const std::byte> bytes, const elf_facts& facts,
                                  const detail::erased_module& module);

}  // namespace autoreload
