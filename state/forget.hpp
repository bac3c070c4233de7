// SPDX-License-Identifier: MIT
// forget: gives a build's variables the values that its file starts them with, as if it had never been used.
#pragma once

#include <cstdint>
#include <vector>

#include "state/side.hpp"

namespace autoreload::state {

/// Bytes of a build's file, as it is loaded.
struct memory_range {
  std::uint64_t address;
  std::uint64_t size;
};

/// What was carried belongs to the new build. The old build's destructors would free it, unless they find a library
/// that has nothing. A word that starts as the address of another library's symbol keeps its value.
///
/// The build is still loaded, and nobody is inside of it. Ranges that it can't write to are left alone.
void forget(const side& build, std::vector<memory_range> what);

}  // namespace autoreload::state
