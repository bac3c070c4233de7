// SPDX-License-Identifier: MIT
// prompt_command: what the commands of the prompt say, as text. Each throws a complaint for what it can't do.
#pragma once

#include <string>

#include "options.hpp"
#include "session.hpp"

namespace autoreload::command {

/// `:help`
[[nodiscard]] std::string help_text();
/// `:type`: of an expression its type; of a struct's, union's, enumeration's or typedef's name what it is made of.
[[nodiscard]] std::string type_text(const std::string& text, const type_table& types, session& current);
/// `:list`: the functions and variables, those with the text in their names if there is one.
[[nodiscard]] std::string list_text(const std::string& part, const type_table& types);
/// `:source`: the lines of a function.
/// @param library  the copy that runs
[[nodiscard]] std::string source_text(const std::string& function, const std::string& library);
/// `:diff`: what callers notice between two builds.
[[nodiscard]] std::string difference_text(const std::string& before, const std::string& now,
                                          const library_options& options);

}  // namespace autoreload::command
