// SPDX-License-Identifier: MIT
// compare: says what a caller that was compiled for one description would meet in another.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "types/description.hpp"

namespace autoreload::types {

/// One sentence about one function, variable or type (the subject), without a full stop.
struct remark {
  std::string subject;
  std::string text;
};

struct comparison {
  std::vector<remark> differences;  ///< can break a caller
  std::vector<remark> notes;        ///< can't
};

/// Who the caller is, and what it knows.
struct perspective {
  bool host = false;                          ///< `was` is what the host was compiled for, not the running version
  const description* host_sees = nullptr;     ///< from the host's debug information; says what it holds opaquely
  bool handles_survive = true;                ///< objects made by the running version are handed to the new one
  std::span<const std::string> exceptions{};  ///< functions, variables, `struct ctx`, typedefs: never looked at
};

/// Compares every symbol that both have. A symbol that `is` lacks is no business of an ABI comparison.
///
/// Both may be nonsense that survived decode(): it always ends, and its depth of recursion has a fixed bound.
[[nodiscard]] comparison compare(const description& was, const description& is, const perspective& from);

}  // namespace autoreload::types
