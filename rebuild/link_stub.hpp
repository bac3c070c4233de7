// SPDX-License-Identifier: MIT
// link_stub: small libraries that stand in, at a link, for those that a library needs.
//
// A linker reads all names of each library that it is given: of libc alone that takes longer than the rest of a small
// link. A link without libc is no way out: its symbols have no versions then, and the loader takes the oldest that
// there is (pthread_cond_wait@GLIBC_2.2.5, whose condition variable is not the program's). A stub has the names and the
// versions that the library was bound to when it was linked in full, and nothing else.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "rebuild/debug_file.hpp"

namespace autoreload::building {

/// A library that another one needs.
struct link_stub {
  std::string name;      ///< as DT_NEEDED has it
  std::string assembly;  ///< a definition of each symbol that is bound to it
  std::string versions;  ///< a version script for the linker
  friend bool operator==(const link_stub&, const link_stub&) = default;
};

/// The stubs of all that a library needs, in its order. Symbols without a version are the first one's.
/// @return nothing when the library is damaged, when a name is not fit for an assembler, or when there is no stub for a
/// symbol because the library needs no other
[[nodiscard]] std::optional<std::vector<link_stub>> stubs_for(debug_file& library);

}  // namespace autoreload::building
