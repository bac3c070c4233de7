// SPDX-License-Identifier: MIT
// footprint: reads /proc/self.
#include "footprint.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

namespace bench {
namespace {

namespace fs = std::filesystem;

// The value of a line `Name:   123 kB`, if this is that line.
bool take(const std::string& line, const char* name, std::uint64_t& sum) {
  std::istringstream words(line);
  std::string first;
  std::uint64_t value = 0;
  if (!(words >> first >> value) || first != name) return false;
  sum += value;
  return true;
}

}  // namespace

generation_footprint footprint_of(const std::string& file_name) {
  generation_footprint found;
  const std::string name = "/memfd:" + file_name + " ";  // the engine names its snapshots after the file
  std::ifstream maps("/proc/self/smaps");
  bool ours = false;
  for (std::string line; std::getline(maps, line);) {
    const bool header = line.find(':') == std::string::npos || line.find('-') < line.find(':');
    if (header) ours = line.find(name) != std::string::npos;
    if (!ours || header) continue;
    take(line, "Size:", found.mapped) || take(line, "Rss:", found.resident) || take(line, "Anonymous:", found.own);
  }
  std::set<ino_t> counted;  // several descriptors may refer to one copy
  for (const auto& entry : fs::directory_iterator("/proc/self/fd")) {
    std::error_code gone;  // the directory's own descriptor
    const std::string target = fs::read_symlink(entry.path(), gone).string();
    struct stat status {};
    if (target.starts_with(name) && stat(entry.path().c_str(), &status) == 0 && counted.insert(status.st_ino).second) {
      found.snapshot += static_cast<std::uint64_t>(status.st_blocks) / 2;  // of 512 bytes
    }
  }
  return found;
}

process_footprint footprint_of_process() {
  process_footprint found;
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    take(line, "VmRSS:", found.resident) || take(line, "Threads:", found.threads);
  }
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) ++found.mappings;
  for (const auto& entry : fs::directory_iterator("/proc/self/fd")) {
    (void)entry;
    ++found.descriptors;
  }
  --found.descriptors;  // the one that lists them
  return found;
}

}  // namespace bench
