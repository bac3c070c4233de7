// SPDX-License-Identifier: MIT
// alternate_stack: a stack for signal handlers in each thread that makes guarded calls, for when its own is used up.
//
// SHARED  the list of stacks: grows at its head by compare-exchange (release; who reads it acquires), never shrinks.
//         A stack belongs to the thread whose number it has. One whose thread has ended is taken over by a
//         compare-exchange of that number (acquire, release). So no code of ours runs at a thread's end, which might be
//         gone by then with the plugin that had it.
#pragma once

namespace autoreload {

/// Sees to it that the calling thread has a large enough alternate stack: the host's own, or one of ours. Looks once
/// in a thread. @return whether it has
[[nodiscard]] bool have_alternate_stack() noexcept;

}  // namespace autoreload
