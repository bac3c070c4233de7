// SPDX-License-Identifier: MIT
// inspect_digest: the pass that compares the loaded bytes with the digest that was made when the library was built.
#include "digest/digest.hpp"
#include "reload/inspect/passes.hpp"

namespace autoreload::inspecting {

outcome digest_agrees(image& lib) {
  const auto line = digest_line_of(lib.file);
  lib.answer.facts.has_digest = line.has_value();
  if (!line || *line == digest_line(lib.file, lib.loads)) return passed;
  return wrong("it is not what its digest was made of: the file is damaged, or was changed afterwards",
               "link it again, and " + std::string(make_digest));
}

}  // namespace autoreload::inspecting
