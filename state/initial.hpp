// SPDX-License-Identifier: MIT
// initial: an edited initialiser wins: takes out of a program what the new build's source says anew.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "state/program.hpp"
#include "state/side.hpp"
#include "state/translate.hpp"

namespace autoreload::state {

/// A part of a variable whose initial value was edited. The new one stays.
struct edited {
  std::string path;
  std::uint64_t from = 0;  ///< of the old value, bytes
  std::uint64_t size = 0;
};

/// Removes the steps whose old initial value, carried, is not the new initial value; of a struct or an array only the
/// fields and elements that differ.
[[nodiscard]] std::vector<edited> keep_edited(program& of, const matches::pair& variable, const side& was,
                                              const side& is, translator& places);

}  // namespace autoreload::state
