// SPDX-License-Identifier: MIT
// abi_guard: refuses a new library whose functions, variables or types no longer fit what their caller was compiled
// for.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <autoreload/guard.hpp>

#ifndef AUTORELOAD_GUARD_HELPER  // where Meson has just built it
#define AUTORELOAD_GUARD_HELPER ""
#endif

namespace autoreload {

namespace detail {
// The helper beside the guard's shared library, or else where the build system said, or else where it lies from this
// header, or else where it was installed. No flag of the user's compiler has to name it: a quoted path in one does not
// get through every shell, make and build system.
[[nodiscard]] AUTORELOAD_API std::string guard_helper(const char* said_by_build, const char* header);
}  // namespace detail

/// What follows when something differs that could break a caller.
enum class abi_policy : std::uint8_t {
  refuse,  ///< the running generation stays; a library that can't be seen passes, with a note
  warn,    ///< the new library is loaded, and the differences are told
  off,     ///< nothing is looked at
  strict,  ///< refuse, also a library (or a host) without readable debug information
};

/// What the guard looks at, and what follows.
struct abi_guard_options {
  /// What follows a difference.
  abi_policy policy = abi_policy::refuse;

  /// Never looked at: functions and variables by name (`draw`), types as a message names them (`struct ctx`,
  /// `point_t`).
  std::vector<std::string> exceptions{};

  /// Whether objects of types that the host can't see into (`struct ctx *` with the struct defined only in the library)
  /// are made by one generation and handed to the next. Then a new layout of such a type is a difference. Set it to
  /// false when the host makes its objects anew after each reload.
  bool handles_survive = true;

  /// Where separate debug files lie: `ROOT/.build-id/ab/cdef.debug`, and `ROOT/directory/of/the/library/NAME` for a
  /// debug link.
  std::vector<std::string> debug_roots{"/usr/lib/debug"};

  /// For reading one file's debug information. When it is over the file counts as one that can't be seen.
  std::chrono::milliseconds time_limit{5000};

  /// The program that reads debug information in a process of its own; by default the one that came with the guard.
  std::string helper = detail::guard_helper(AUTORELOAD_GUARD_HELPER, __FILE__);

  /// The helper is no child of the host: no SIGCHLD comes when it ends, and no wait() sees it. For a host that knows
  /// nothing of it.
  bool orphan_helper = false;
};

/// Makes the checker that compares debug information. Give it to any number of engines; it remembers what it saw of
/// the host and of each library's running generation.
///
/// It starts a short-lived child process for each file with debug information, and for no other. The host sees a
/// SIGCHLD when one ends, and may reap it without harm.
///
/// Thread-safety: check() may run on several threads at once. check() throws nothing but std::bad_alloc.
[[nodiscard]] AUTORELOAD_API std::shared_ptr<abi_checker> make_abi_guard(abi_guard_options options = {});

}  // namespace autoreload
