// SPDX-License-Identifier: MIT
// needed_file: the loader's order of directories, and what the files in them are.
#include "reload/dependencies/needed_file.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "reload/dependencies/packaged.hpp"
#include "reload/dependencies/running_libraries.hpp"

namespace autoreload {

namespace {

bool is_default(const std::string& directory) {
  return directory == "/lib" || directory == "/usr/lib" || directory == "/lib64" || directory == "/usr/lib64";
}

}  // namespace

// A step of FNV-1a for each number.
std::optional<file_identity> add_state(std::uint64_t& state, const std::string& path) {
  const auto add = [&](std::uint64_t value) { state = (state ^ value) * 1099511628211ULL; };
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) {
    add(1);
    return std::nullopt;
  }
  const file_identity now = file_identity::of(status);
  if (const std::uint64_t serial = running_library::serial_of(now); serial != 0) {
    add(serial);
    return now;
  }
  for (const std::uint64_t value : {now.device, now.inode, now.size, static_cast<std::uint64_t>(now.modified),
                                    static_cast<std::uint64_t>(now.changed)}) {
    add(value + 2);
  }
  return now;
}

std::vector<search_directory> directories_for(const std::string& name, const needing_library& here,
                                              const loader_places& loader) {
  std::vector<search_directory> all;
  const auto add = [&](const std::vector<search_directory>& more) {
    for (const search_directory& one : more) {
      if (std::find(all.begin(), all.end(), one) == all.end()) all.push_back(one);
    }
  };
  const auto add_plain = [&](const std::vector<std::string>& more) {
    for (const std::string& one : more) add({{one}});
  };
  const process_search_path& process = loader.process;
  if (here.searched.inherited) {
    for (const needing_library* above = &here; above != nullptr; above = above->by) {
      if (above->searched.inherited) add(above->searched.directories);
    }
    add_plain(process.inherited);
  }
  add_plain(process.environment);
  if (!here.searched.inherited) add(here.searched.directories);
  for (const needing_library* above = here.by; above != nullptr; above = above->by) {
    const std::vector<std::string>& needed = above->facts.needed;
    if (std::find(needed.begin(), needed.end(), name) != needed.end()) add(above->searched.directories);
  }
  const std::string cached = loader.cache.find(name);
  if (!cached.empty()) add({{cached.substr(0, cached.rfind('/'))}});
  add_plain(process.defaults);
  return all;
}

std::shared_ptr<private_library> unchanged_among(const private_libraries& running, const std::string& path,
                                                 const file_identity& file) {
  const auto found = std::find_if(running.begin(), running.end(), [&](const auto& one) {
    return one->path == path && one->image.source == file && file.settled();
  });
  return found != running.end() ? *found : nullptr;
}

needed_file find_needed(const std::string& name, const std::vector<search_directory>& directories,
                        const private_libraries& running, dependencies& into) {
  std::optional<needed_file> of_another_machine;
  for (const auto& [directory, run_path, by_origin] : directories) {
    const std::string path = directory + "/" + name;
    // By $ORIGIN the loader finds nothing: the copy is elsewhere. Whatever it finds in the system's directories is
    // the packages' matter.
    if (in_system_directory(directory) && (!by_origin || directory.ends_with("-linux-gnu") || is_default(directory))) {
      if (is_packaged(path)) return {.packaged = true};
      if (access(path.c_str(), F_OK) != 0) continue;
    }
    const auto file = into.rely_on(path);
    if (!file) continue;
    if (unchanged_among(running, path, *file) == nullptr && !loader_would_take(path)) {
      if (run_path && !of_another_machine) of_another_machine = {path, *file, run_path};
      continue;
    }
    into.settled = into.settled && (file->settled() || running_library::serial_of(*file) != 0);
    return {path, *file, run_path};
  }
  return of_another_machine.value_or(needed_file{});
}

}  // namespace autoreload
