// SPDX-License-Identifier: MIT
// untyped: what only a pointer without a type leads to is not followed, but it may have pointers to what is moved.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "state/process_memory.hpp"

namespace autoreload::state {

/// A pointer to void, or to a struct that nobody describes.
struct untyped_pointer {
  std::uint64_t value;
  const std::string* path;  ///< where it stands; lives as long as the steps
};

/// Looks at every word of the blocks of malloc's that such pointers lead to, and of the blocks that these lead to, as
/// far as there are not too many.
/// @param moves     whether a value leads into an object that is moved
/// @param is_known  whether the block at an address was followed by its type
/// @return the path of the first pointer from which a word was found that moves; null: none was
[[nodiscard]] const std::string* find_reference(std::span<const untyped_pointer> from, process_memory& memory,
                                                const std::function<bool(std::uint64_t)>& moves,
                                                const std::function<bool(std::uint64_t)>& is_known);

}  // namespace autoreload::state
