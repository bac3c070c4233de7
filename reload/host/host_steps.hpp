// SPDX-License-Identifier: MIT
// host_steps: the steps in which a host has a say, if it wants one.
#pragma once

#include <optional>

#include "reload/pipeline.hpp"

namespace autoreload {

/// Would its callers still fit. There is an options::guard.
[[nodiscard]] std::optional<setback> ask_guard(const context& here, candidate& next);

/// What of the private copy is the own of a host that is linked with the library. There is one.
[[nodiscard]] std::optional<setback> fit_to_host(const order& wanted, snapshot& image, const candidate& next);

}  // namespace autoreload
