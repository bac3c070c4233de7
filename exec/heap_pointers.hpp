// SPDX-License-Identifier: MIT
// heap_pointers: whether a library's own variables lead to memory that was allocated: handles, pools, lists, of which
// another build knows nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include <autoreload/unload.hpp>

namespace autoreload::exec {

/// @param base  of a loaded library @param end  of its own memory: what lies behind is ours @param but  ranges that are
/// left out: exported variables
/// @return how many words of its writable memory lead to private memory that has no file. Any thread.
/// @throws std::bad_alloc
[[nodiscard]] std::size_t count_heap_pointers(std::uintptr_t base, std::uintptr_t end,
                                              std::span<const memory_range> but);

}  // namespace autoreload::exec
