// SPDX-License-Identifier: MIT
// passing: whether a caller in one language and a library in another agree on what goes through registers and memory.
#pragma once

#include <vector>

#include "guard/weigh.hpp"
#include "types/description.hpp"

namespace autoreload::types {

struct crossing {
  bool differs = false;              ///< the call, or the variable, itself
  std::vector<layout_pair> layouts;  ///< structs behind pointers that are laid out differently
};

/// Compares sizes, offsets, and the kind of register that each part takes. Names, constness, signs, and types that have
/// only one part (an enumeration, a struct of one field, an address kept as a number) are the same to the machine. What
/// a description leaves open counts as equal.
///
/// Both may be nonsense that survived decode(): it always ends.
[[nodiscard]] crossing cross_languages(const description& was, const symbol& before, const description& is,
                                       const symbol& now);

}  // namespace autoreload::types
