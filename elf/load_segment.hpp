// SPDX-License-Identifier: MIT
// load_segment: the part of a PT_LOAD program header that reloading needs.
#pragma once

#include <cstdint>

namespace autoreload {

/// A PT_LOAD: what the loader maps.
struct load_segment {
  std::uint64_t offset;       ///< in the file, bytes
  std::uint64_t file_size;    ///< bytes
  std::uint64_t address;      ///< relative to the load base
  std::uint64_t memory_size;  ///< bytes
  std::uint32_t flags;        ///< PF_R, PF_W, PF_X
};

}  // namespace autoreload
