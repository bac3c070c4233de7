// SPDX-License-Identifier: MIT
// stage: the trial as a stage of the pipeline, for a build whose trial was asked for.
#pragma once

#include <optional>

#include "reload/pipeline.hpp"

namespace autoreload {

/// What its constructors do is done to a helper process first.
[[nodiscard]] std::optional<setback> try_in_helper(const context& here, candidate& next);

}  // namespace autoreload
