// SPDX-License-Identifier: MIT
// loader_state: whether this thread is inside the dynamic loader, and what must stay loaded.
#pragma once

namespace autoreload {

/// Whether the calling thread runs inside dlopen, dlclose or the start or end of the program: in a library's
/// constructor, say. It may then hold the loader's lock, for which whoever it waits for may be waiting. Looks at its
/// own stack, so it takes some microseconds. False where a frame on the way has no unwind table, and always with musl,
/// which holds no lock while constructors run. Any thread.
[[nodiscard]] bool inside_the_loader() noexcept;

/// Keeps the library that has this code loaded for good; nothing for the program itself. Any thread.
void keep_resident(const void* code) noexcept;

}  // namespace autoreload
