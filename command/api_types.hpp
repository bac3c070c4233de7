// SPDX-License-Identifier: MIT
// api_types: a library's types as C++ declarations, for an API struct without a header.
#pragma once

#include <string>
#include <vector>

#include "types/description.hpp"

namespace autoreload::command {

/// Includes, a namespace with all types that the symbols need, and the API struct.
/// @param left_out  counts the symbols of which nothing can be written
[[nodiscard]] std::string api_from_types(const types::description& types, const std::vector<std::string>& symbols,
                                         const std::string& name, std::size_t& left_out);

}  // namespace autoreload::command
