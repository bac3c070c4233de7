// SPDX-License-Identifier: MIT
// json: values as JSON.
#pragma once

#include <string>

#include "expression/show.hpp"

namespace autoreload::command {

/// A struct is an object, an array an array, a number a number as long as JSON's readers keep its value, anything else
/// a string; NULL is null.
[[nodiscard]] std::string to_json(const shown_value& of);

}  // namespace autoreload::command
