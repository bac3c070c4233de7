// SPDX-License-Identifier: MIT
// unloading: when an old build of a library whose users hold no pins may be unloaded.
//
// No pin says that a call is over: the search for holders is all there is. So it looks at all threads, registers and
// memory, several times, and whatever it can't look at counts as a holder.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>

#include <autoreload/unload.hpp>

namespace autoreload::exec {

/// The memory of a build as it is mapped, or nothing if it has to stay. Called by one thread at a time.
using leaving_image = std::function<std::optional<held_image>(const held_image& as_the_engine_knows_it)>;

/// One look at a time in the process: a thread has one tracer at most. Waits for a look that is under way.
[[nodiscard]] std::unique_lock<std::mutex> turn_to_look();

/// For `options.unload`. @throws std::bad_alloc
[[nodiscard]] std::shared_ptr<unload_check> unload_carefully(leaving_image image);

}  // namespace autoreload::exec
