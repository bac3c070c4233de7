// SPDX-License-Identifier: MIT
// lengths: which field says how many elements a pointer beside it leads to, as people name them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "state/layout.hpp"
#include "state/number.hpp"

namespace autoreload::state {

/// A pointer field, and the number beside it that counts what it leads to.
struct counted {
  std::uint64_t pointer;  ///< bytes from the struct's start
  std::uint64_t length;   ///< the same
  number_format format;
};

/// Of `items`: items_count, item_count, n_items, num_items, items_len and their like; also count, len, size or n, where
/// only one pointer of the struct leads to another type.
[[nodiscard]] std::vector<counted> counted_fields(typed structure);
/// Whether a name is one that says how many `items` there are: one of those above, also where both names begin with the
/// same words, as table_items and table_n_items.
[[nodiscard]] bool counts(const std::string& name, const std::string& items);

}  // namespace autoreload::state
