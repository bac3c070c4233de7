// SPDX-License-Identifier: MIT
// diagnostic: what a compiler, a linker or a build tool complained of, as a value.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <autoreload/language.hpp>

namespace autoreload {

/// How bad it is.
enum class severity : std::uint8_t { note, warning, error };

/// The severity's name in lower case. Never fails, any thread.
[[nodiscard]] AUTORELOAD_API std::string_view to_string(severity how) noexcept;

/// One complaint of one tool. A value; all text is its own.
struct diagnostic {
  std::string file;                                 ///< as it was printed; empty when it concerns none
  std::string tool;                                 ///< the program that said it, when it says its name; or empty
  std::uint32_t line = 0;                           ///< from 1; 0 when it was not told
  std::uint32_t column = 0;                         ///< from 1; 0 when it was not told
  autoreload::severity severity = severity::error;  ///< a fatal error is an error
  std::string message;                              ///< without the option
  std::string option;    ///< the one that switches it, for example `-Wunused-variable`, or empty
  std::string rule;      ///< by which it was understood, for example `compiler, column` (see docs/rebuild.md)
  bool follows = false;  ///< it only says that something else failed, such as `ld returned 1 exit status`
};

/// One line, as the GNU tools print it: `lib.c:12:5: error: expected ';' before '}' token [-Wsomething]`.
[[nodiscard]] AUTORELOAD_API std::string to_string(const diagnostic& one);

/// The error that a person should look at first: the first in a source file, else the first that is no mere
/// consequence of another, else the first. Null when there is none.
/// @param all  lives as long as the answer is used
[[nodiscard]] AUTORELOAD_API const diagnostic* first_error(const std::vector<diagnostic>& all) noexcept;

/// Understands what gcc, clang, tcc, the assembler, ld.bfd, gold, lld, mold, ninja, make, CMake, Meson, ccache and
/// shells print. Lines that are nothing of that are passed over. Escape sequences and carriage returns are no matter.
///
/// Any bytes are welcome: the time is linear in their number, and it never fails but for want of memory. Any thread.
/// @return at most 1,000, in the order of the text
[[nodiscard]] AUTORELOAD_API std::vector<diagnostic> read_diagnostics(std::string_view output);

}  // namespace autoreload
