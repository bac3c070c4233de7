// SPDX-License-Identifier: MIT
// far_pointers: pointers into a build where the search for holders doesn't look: in shared memory, and in the kernel.
#pragma once

#include <autoreload/unload.hpp>

namespace autoreload::exec {

/// Adds to a report who leads to the image from memory that is mapped as shared, or by what the kernel keeps for the
/// program: the data of epoll, and the values of timers. What can't be looked at is added to its `unseen`.
/// @throws std::bad_alloc
void look_afar(const held_image& image, holder_report& report);

}  // namespace autoreload::exec
