// SPDX-License-Identifier: MIT
// build_words: what the rebuilder tells, in the command's words.
#pragma once

#include <autoreload/rebuild.hpp>

#include "builder.hpp"

namespace autoreload::command {

/// The text's first line says what happened; the others are the errors, each with its place.
[[nodiscard]] build_notice notice_of(const rebuild_event& happened, const build_options& options);

/// How the rebuilder runs for these options. The observer is the caller's to set.
[[nodiscard]] rebuild_options rebuilding_of(const build_options& options);

}  // namespace autoreload::command
