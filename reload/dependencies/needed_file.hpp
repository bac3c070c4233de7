// SPDX-License-Identifier: MIT
// needed_file: finds the file that the loader would take for a name in DT_NEEDED.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "reload/dependencies/dependencies.hpp"
#include "reload/dependencies/search_path.hpp"
#include "reload/inspect/inspect.hpp"
#include "reload/snapshot/file_identity.hpp"

namespace autoreload {

/// A library whose needs are looked at, and the one that needs it.
struct needing_library {
  const elf_facts& facts;
  const own_run_path& searched;
  const needing_library* by;  ///< null for the reloaded library itself
};

/// Where the loader of this process looks, whoever needs what: read once for many names.
struct loader_places {
  process_search_path process = process_directories();
  loader_cache cache;
};

/// The directories in the loader's order, each once. But what a library above it needs by the same name is loaded
/// before it, and serves it, too. Any thread.
[[nodiscard]] std::vector<search_directory> directories_for(const std::string& name, const needing_library& here,
                                                            const loader_places& loader);

/// A file that is there for a needed name.
struct needed_file {
  std::string path{};  ///< empty: nowhere, or the loader finds it and packages look after it
  file_identity file{};
  bool run_path = false;  ///< a run path leads to it
  bool packaged = false;  ///< packages look after what the loader finds
};

/// The first file in the directories that the loader would take. A file of another machine in a run path is the answer
/// where there is no other, to be refused with that reason. Any thread.
/// @param running  of these it is known that the loader would take them, so that an unchanged one isn't opened
/// @param into     gets each path that was looked at, in `paths`, `state` and `settled`
[[nodiscard]] needed_file find_needed(const std::string& name, const std::vector<search_directory>& directories,
                                      const private_libraries& running, dependencies& into);

/// The library among those that was made of a file as it is now; null if there is none. Any thread.
[[nodiscard]] std::shared_ptr<private_library> unchanged_among(const private_libraries& running,
                                                               const std::string& path, const file_identity& file);

/// Adds what a path leads to now, if anything, to a value as state_of() has it. Any thread.
/// @return what that is
std::optional<file_identity> add_state(std::uint64_t& state, const std::string& path);

}  // namespace autoreload
