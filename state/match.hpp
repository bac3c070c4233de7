// SPDX-License-Identifier: MIT
// match: which variable of the new build is which of the old one.
#pragma once

#include <vector>

#include "types/description.hpp"

namespace autoreload::state {

struct matches {
  struct pair {
    const abi::variable* was;
    const abi::variable* is;
  };
  std::vector<pair> pairs;
  std::vector<const abi::variable*> dropped;    ///< of the old build, without one in the new
  std::vector<const abi::variable*> fresh;      ///< of the new build, without one in the old
  std::vector<const abi::variable*> ambiguous;  ///< of the new build: several of its name, and another number before
};

/// By unit, function and name; exported ones by their names alone. What is left by what it still has in common: the
/// same name and function where the unit has another name, the same name in another place, each when it is the only
/// one.
[[nodiscard]] matches match(const abi::description& was, const abi::description& is);

/// The same for functions: the address of the function in the new build that a pointer to the old one means.
class function_matches {
 public:
  function_matches(const abi::description& was, const abi::description& is);
  /// @param address  as the old file has it
  /// @return nothing when no function begins there, or the new build has none of its name
  [[nodiscard]] const abi::code* find(std::uint64_t address) const;
  /// The old function at the address, or null.
  [[nodiscard]] const abi::code* old(std::uint64_t address) const;

 private:
  std::vector<const abi::code*> was_;  // by address
  std::vector<const abi::code*> is_;   // by name
};

}  // namespace autoreload::state
