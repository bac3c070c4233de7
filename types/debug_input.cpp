// SPDX-License-Identifier: MIT
// debug_input: a separate file counts when it is a regular one; whether it belongs to the build its reader checks.
#include "types/debug_input.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <optional>
#include <utility>

#include "types/elf_glance.hpp"

namespace autoreload::types {

debug_input find_debug_input(int file, std::string_view path, const std::vector<std::string>& roots) {
  const std::optional<debug_links> links = find_debug_links(file);
  if (!links) return {};
  if (links->inside) return {true, {}};
  for (const std::string& candidate : separate_debug_files(*links, path, roots)) {
    unique_fd found(open(candidate.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    struct stat status {};
    if (found && fstat(found.get(), &status) == 0 && S_ISREG(status.st_mode)) return {true, std::move(found)};
  }
  return {};
}

}  // namespace autoreload::types
