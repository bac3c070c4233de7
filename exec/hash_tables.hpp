// SPDX-License-Identifier: MIT
// hash_tables: the two tables by which dynamic loaders find symbols.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace autoreload::exec {

/// How many buckets DT_GNU_HASH has for so many symbols. They must stand in the symbol table by their buckets.
[[nodiscard]] std::uint32_t gnu_buckets(std::size_t symbols);

/// DT_GNU_HASH. @param first  the index of the first name's symbol; the others follow, sorted by gnu_hash % gnu_buckets
[[nodiscard]] std::string gnu_hash_table(const std::vector<std::string>& names, std::uint32_t first);

/// DT_HASH. @param first  as above; symbols before it are not to be found
[[nodiscard]] std::string old_hash_table(const std::vector<std::string>& names, std::uint32_t first);

}  // namespace autoreload::exec
