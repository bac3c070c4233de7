// SPDX-License-Identifier: MIT
// parts: what a reload is made of, each part by itself.
#pragma once

namespace bench {

/// Registers floor/… and load/<backend>.
void register_parts();

}  // namespace bench
