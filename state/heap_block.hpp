// SPDX-License-Identifier: MIT
// heap_block: how large the block is that malloc gave, for a pointer that may be something else.
#pragma once

#include <cstdint>
#include <optional>

#include "state/process_memory.hpp"

namespace autoreload::state {

/// @return bytes that the block's owner may use; nothing when the address is not the start of a block of glibc's
///         malloc, or memory is another allocator's. Never crashes: malloc_usable_size() may, for what is no block.
[[nodiscard]] std::optional<std::uint64_t> heap_block_size(process_memory& memory, std::uint64_t address);

}  // namespace autoreload::state
