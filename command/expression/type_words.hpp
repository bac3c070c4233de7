// SPDX-License-Identifier: MIT
// type_words: the words that C makes its basic types of.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "complaint.hpp"

namespace autoreload::command {

/// `unsigned`, `struct`, `const` …: a type's name may start with it.
[[nodiscard]] bool is_type_word(std::string_view word);
[[nodiscard]] bool is_qualifier(std::string_view word);

/// The usual spelling of a basic type: `long unsigned int` is `unsigned long`. The same as a description's.
/// @throws complaint  when C has no such type
[[nodiscard]] std::string usual_words(const std::vector<std::string>& words, place where);

}  // namespace autoreload::command
