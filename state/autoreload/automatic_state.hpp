// SPDX-License-Identifier: MIT
// automatic_state: carries a C library's own variables from one build to the next, field by field.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include <autoreload/state.hpp>

#ifndef AUTORELOAD_GUARD_HELPER  // where Meson has just built it
#define AUTORELOAD_GUARD_HELPER ""
#endif

namespace autoreload {

namespace detail {
// As the guard's: the helper is found from where the library, the build or this header is.
[[nodiscard]] AUTORELOAD_API std::string state_helper(const char* said_by_build, const char* header);
}  // namespace detail

/// What is carried, and how the source marks it.
struct state_options {
  /// Variables that start anew at each reload, as a report names them: `cache`, `count in step()`.
  std::vector<std::string> fresh{};
  /// Variables that keep their values also when their initialisers are edited.
  std::vector<std::string> keep{};

  /// A variable in this section starts anew at each reload:
  /// `static int cache[64] __attribute__((section(".autoreload.fresh")));`
  std::string fresh_section = ".autoreload.fresh";
  /// A variable in this section keeps its value also when its initialiser is edited.
  std::string keep_section = ".autoreload.keep";
  /// A variable in a section that begins so starts anew when the rest of the section's name has changed:
  /// `.autoreload.version.1` became `.autoreload.version.2`.
  std::string version_section = ".autoreload.version.";

  /// Where separate debug files lie, as the guard's `debug_roots`.
  std::vector<std::string> debug_roots{"/usr/lib/debug"};

  /// For reading one file's debug information. When it is over nothing can be carried.
  std::chrono::milliseconds time_limit{5000};

  /// The program that reads debug information in a process of its own; by default the one that came with the library.
  std::string helper = detail::state_helper(AUTORELOAD_GUARD_HELPER, __FILE__);

  /// The helper is no child of the host: no SIGCHLD comes when it ends, and no wait() sees it. For a host that knows
  /// nothing of it.
  bool orphan_helper = false;
};

/// Makes the carrier that knows a library's variables from its debug information (`-g`). Give it to any number of
/// engines; it remembers what it read of each running generation.
///
/// It starts a short-lived child process for each new build. The host sees a SIGCHLD when one ends, and may reap it.
///
/// Thread-safety: prepare() may run on several threads at once.
[[nodiscard]] AUTORELOAD_API std::shared_ptr<state_carrier> automatic_state(state_options options = {});

}  // namespace autoreload
