// SPDX-License-Identifier: MIT
// visible: which structs of a library its host may have pointers to.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "state/layout.hpp"

namespace autoreload::state {

class visible_types {
 public:
  /// What exported functions take and return and what exported variables are, with all that this leads to.
  void add(const description& in);
  [[nodiscard]] bool has(typed of) const;
  /// The structs that an exported function gives its caller a pointer to, with their types: the caller may be the only
  /// one that has it.
  [[nodiscard]] static std::vector<typed> given_away(const description& in);

 private:
  std::set<std::string> names_;
  bool everything_ = false;  // an exported function takes or returns `void *`: it may be any object
};

}  // namespace autoreload::state
