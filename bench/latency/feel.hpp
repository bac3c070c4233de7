// SPDX-License-Identifier: MIT
// feel: what a person waits for: from the compiler's start to the first call that returns the new value.
#pragma once

#include <cstdint>

namespace bench {

/// Registers feel/<linker> for each linker that the compiler has.
void register_feel(std::int64_t rounds);

}  // namespace bench
