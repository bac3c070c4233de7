// SPDX-License-Identifier: MIT
// file_ranges: which parts of a library's file a reload has to wait for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace autoreload {

/// A part of a file, bytes.
struct file_range {
  std::uint64_t begin;
  std::uint64_t end;
};

/// Bytes that hold the ELF header and every sane program header table.
inline constexpr std::uint64_t head_size = 4096;

/// The parts that matter to the loader and to inspect(): what the program headers load, and the tables themselves.
/// Where the head makes no sense the head alone is enough for inspect() to say so.
/// @param head  the first head_size bytes, or all of a smaller file
/// @param size  of the file, bytes
/// @return in order, none touches another
[[nodiscard]] std::vector<file_range> mapped_ranges(const std::byte* head, std::uint64_t size);

/// What lies between and behind the ranges, up to `size`.
[[nodiscard]] std::vector<file_range> gaps(const std::vector<file_range>& ranges, std::uint64_t size);

}  // namespace autoreload
