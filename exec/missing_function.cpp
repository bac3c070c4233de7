// SPDX-License-Identifier: MIT
// missing_function: from a stub's slot to words.
#include "exec/missing_function.hpp"

#include <cstdlib>
#include <string>

#include "exec/journal.hpp"

namespace autoreload::exec {

void end_for_missing(const standin_header* library, std::uint32_t slot) noexcept {
  std::string name = "a function";
  if (slot < library->functions) name = library->strings + library->names[slot].name;
  say(name + "() was called, which the newest build of \"" + library->path +
      "\" lacks: the program ends here. Build it with that function again, or start the program anew");
  std::abort();
}

}  // namespace autoreload::exec
