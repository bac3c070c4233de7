// SPDX-License-Identifier: MIT
// footprint: what a generation and the whole process cost the system, read from /proc.
#pragma once

#include <cstdint>
#include <string>

namespace bench {

/// What one loaded generation holds, KB.
struct generation_footprint {
  std::uint64_t mapped = 0;    ///< address space
  std::uint64_t resident = 0;  ///< pages of it that are in memory
  std::uint64_t own = 0;       ///< of these, written to (relocations, data): they exist beside the snapshot
  std::uint64_t snapshot = 0;  ///< the private copy of the file
};

/// What the process holds.
struct process_footprint {
  std::uint64_t resident = 0;  ///< KB
  std::uint64_t mappings = 0;
  std::uint64_t descriptors = 0;
  std::uint64_t threads = 0;
};

/// Of the newest generation of the library with this file name; the sum, when several of that name are loaded.
[[nodiscard]] generation_footprint footprint_of(const std::string& file_name);
[[nodiscard]] process_footprint footprint_of_process();

}  // namespace bench
