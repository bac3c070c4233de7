// SPDX-License-Identifier: MIT
// holders_left: asks who may still come back to a generation that nobody pins, and tells of them.
#pragma once

#include <vector>

#include "reload/retire/retire.hpp"

namespace autoreload {

/// Whether a generation must stay for now, because somebody may come back or because that is not known yet. What there
/// is to tell goes to `done`. Never without options::unload. @throws std::bad_alloc
[[nodiscard]] bool is_held(generation& one, bool wait, std::vector<retirement>& done);

}  // namespace autoreload
