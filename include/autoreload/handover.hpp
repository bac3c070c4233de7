// SPDX-License-Identifier: MIT
// handover: how long callers may be held up while one generation hands over to the next, and what the library offers.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include <autoreload/language.hpp>

namespace autoreload {

/// What a reload starts from.
enum class start : std::uint8_t {
  carried,  ///< what options::state carries, and what the handover's functions hand over
  fresh,    ///< what the new build initialises: nothing is handed over, and nobody waits
};

/// How a generation hands over to the next. Read only where there is something to hand over: see docs/state.md.
struct handover_options {
  /// How long calls that begin may wait for calls under way to end, 1 ms to a minute. When the limit is reached, all go
  /// on in the old generation, and the handover is tried again later.
  std::chrono::milliseconds limit{100};

  /// The functions by which the library itself can take part, if it exports them. An empty name is never looked for.
  struct names {
    std::string save = "autoreload_save";            ///< `void *autoreload_save(void);` of the old generation
    std::string restore = "autoreload_restore";      ///< `int autoreload_restore(void *saved);` of the new one
    std::string loaded = "autoreload_loaded";        ///< `void autoreload_loaded(void);` of the new one, once it runs
    std::string unloading = "autoreload_unloading";  ///< `void autoreload_unloading(void);` before it is unloaded
  };
  /// What they are called.
  names functions{};
};

}  // namespace autoreload
