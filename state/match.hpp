// SPDX-License-Identifier: MIT
// match: which variable of the new build is which of the old one.
#pragma once

#include <vector>

#include "types/description.hpp"

namespace autoreload::state {

struct matches {
  struct pair {
    const types::variable* was;
    const types::variable* is;
  };
  std::vector<pair> pairs;
  std::vector<const types::variable*> dropped;    ///< of the old build, without one in the new
  std::vector<const types::variable*> fresh;      ///< of the new build, without one in the old
  std::vector<const types::variable*> ambiguous;  ///< of the new build: several of its name, and another number before
};

/// By unit, function and name; exported ones by their names alone. What is left by what it still has in common: the
/// same name and function where the unit has another name, the same name in another place, each when it is the only
/// one.
[[nodiscard]] matches match(const types::description& was, const types::description& is);

/// The same for functions: the address of the function in the new build that a pointer to the old one means.
class function_matches {
 public:
  function_matches(const types::description& was, const types::description& is);
  /// @param address  as the old file has it
  /// @return nothing when no function begins there, or the new build has none of its name
  [[nodiscard]] const types::code* find(std::uint64_t address) const;
  /// The old function at the address, or null.
  [[nodiscard]] const types::code* old(std::uint64_t address) const;

 private:
  std::vector<const types::code*> was_;  // by address
  std::vector<const types::code*> is_;   // by name
};

}  // namespace autoreload::state
