// SPDX-License-Identifier: MIT
// line_pattern: matches one line with a pattern that reads like the line, such as `{file}:{line}:{column}: {text}`.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include <autoreload/diagnostic.hpp>

namespace autoreload::building {

/// What a line holds in the places of the pattern. The texts lie in the line.
struct line_match {
  std::string_view file;  ///< the last one, when the pattern has several
  std::string_view tool;
  std::string_view text;
  std::uint32_t line = 0;
  std::uint32_t column = 0;
  autoreload::severity severity = severity::error;
};

/// Matches the whole line. In a pattern
///   {file}      is a file's name: no space at its start, and no `: ` in it
///   {tool}      is a program's name or path: no space and no colon
///   {line}, {column}  are numbers
///   {severity}  is a word of a compiler's, such as `fatal error`
///   {any}       is anything, at least one character
///   {text}      is the rest of the line
///   all else    stands for itself.
/// Each takes as little as it can. A line on which this would take long does not match.
[[nodiscard]] std::optional<line_match> match_line(std::string_view pattern, std::string_view line);

}  // namespace autoreload::building
