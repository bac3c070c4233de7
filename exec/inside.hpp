// SPDX-License-Identifier: MIT
// inside: which threads of the program are in a call of a library, or in code that it calls.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

#include <autoreload/unload.hpp>

#include "exec/gate.hpp"
#include "holders/frames.hpp"

namespace autoreload::exec {

/// All code of a library: of each of its builds that is loaded. Its gate is closed. No search for holders finds it.
struct entered_code {
  holding::unseen_list<memory_range> parts;
  const gate* before = nullptr;
  holding::unseen_list<holding::unwound_object> objects;  ///< of the process

  [[nodiscard]] bool has(std::uintptr_t address) const noexcept;
};

/// A thread that is inside, or can't be looked at.
struct insider {
  pid_t thread = 0;
  std::uintptr_t at = 0;  ///< in the library's code; 0: not known
  std::string unseen{};   ///< why it can't be looked at; empty: it is inside
};

/// Looks at each thread but the calling one, once. It stops those that run, one after the other, for some microseconds.
/// A thread that was outside can't come in behind the look's back: the gate is closed.
/// @return the first that is inside @throws std::bad_alloc
[[nodiscard]] std::optional<insider> who_is_inside(const entered_code& code);

}  // namespace autoreload::exec
