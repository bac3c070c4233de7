// SPDX-License-Identifier: MIT
// completion: what can stand where the cursor is.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "session.hpp"

namespace autoreload::command {

struct completion {
  std::size_t begin = 0;               ///< of what is replaced, which goes to the cursor
  std::vector<std::string> choices{};  ///< sorted; a function's name has its `(`
};

/// @param line     up to the cursor
/// @param current  knows the types of `$1` …; nothing is evaluated
[[nodiscard]] completion complete(std::string_view line, const type_table& types, session& current);

/// What all of them begin with.
[[nodiscard]] std::string common_start(const std::vector<std::string>& choices);

/// The commands of the prompt, each with its colon.
[[nodiscard]] const std::vector<std::string>& prompt_commands();

}  // namespace autoreload::command
