// SPDX-License-Identifier: MIT
// nearest: "did you mean", for what somebody types.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "system/nearest.hpp"

namespace autoreload::command {

/// The most similar of the names, or nothing when none is so near that it was meant.
[[nodiscard]] inline std::string nearest_name(std::string_view wanted, const std::vector<std::string>& names) {
  if (wanted.size() > 200) return {};
  return autoreload::nearest_name(wanted, names, std::max<std::size_t>(1, wanted.size() / 3));
}

}  // namespace autoreload::command
