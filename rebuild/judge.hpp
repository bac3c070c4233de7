// SPDX-License-Identifier: MIT
// judge: what the end of a build means, as an event.
#pragma once

#include <string>
#include <vector>

#include <autoreload/rebuild.hpp>

#include "rebuild/build_tool.hpp"
#include "rebuild/runner.hpp"

namespace autoreload::building {

/// Why a build was ended from outside.
enum class cut : std::uint8_t { none, overtaken, time, flood };

/// What became of the library's file meanwhile.
enum class outcome : std::uint8_t { untouched, same_content, changed, missing };

struct verdict_request {
  const ending& ended;
  const build_tool& tool;
  const rebuild_options& options;
  building::cut cut;
  building::outcome outcome;
  const std::vector<std::string>& files;  ///< whose saving led to the build
};

/// The event that tells of it: its kind, text, diagnostics, output and failure. Changes nothing, asks nobody.
[[nodiscard]] rebuild_event judge(const verdict_request& of);

/// An error for a command that could not be started.
[[nodiscard]] error not_started(const build_tool& tool, int cause);

/// The last line of an output, when it looks like a question that waits for an answer; or empty.
[[nodiscard]] std::string open_question(std::string_view output);

/// `lib.c`, `lib.c and foo.h`, `lib.c, foo.h and 3 more`: names without their directories.
[[nodiscard]] std::string short_list(const std::vector<std::string>& files);

/// `38 ms`, `1.2 s`.
[[nodiscard]] std::string short_time(std::chrono::nanoseconds time);

}  // namespace autoreload::building
