// SPDX-License-Identifier: MIT
// file_ranges: what the program headers map, rounded to pages and merged.
#include "reload/snapshot/file_ranges.hpp"

#include <elf.h>

#include <algorithm>
#include <cstring>
#include <span>

#include "digest/digest.hpp"
#include "elf/view.hpp"

namespace autoreload {

std::vector<file_range> mapped_ranges(const std::byte* head, std::uint64_t size) {
  std::vector<file_range> ranges{{0, std::min(size, head_size)}};
  const auto add = [&](std::uint64_t begin, std::uint64_t length) {
    if (begin < size) ranges.push_back({begin, begin + std::min(length, size - begin)});
  };
  const elf_view file{std::span(head, std::min(size, head_size)), {}};
  const auto headers = file.table_in_file<Elf64_Ehdr>(0, 1);
  if (!headers) return ranges;
  const Elf64_Ehdr header = (*headers)[0];
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_phentsize != sizeof(Elf64_Phdr)) return ranges;
  const auto segments = file.table_in_file<Elf64_Phdr>(header.e_phoff, header.e_phnum);
  if (!segments) return {{0, size}};
  for (const Elf64_Phdr segment : *segments) {
    // The loader maps whole pages: what lies around a segment in its pages is visible to the program, too.
    constexpr std::uint64_t page = 4096;
    if (segment.p_type == PT_LOAD && segment.p_filesz > 0 && segment.p_filesz <= size && segment.p_offset < size) {
      const std::uint64_t begin = segment.p_offset & ~(page - 1);
      add(begin, ((segment.p_offset + segment.p_filesz + page - 1) & ~(page - 1)) - begin);
    }
  }
  add(header.e_shoff, std::uint64_t{header.e_shnum} * header.e_shentsize);
  add(size - std::min<std::uint64_t>(size, digest_line_size), digest_line_size);

  std::sort(ranges.begin(), ranges.end(), [](auto& a, auto& b) { return a.begin < b.begin; });
  std::vector<file_range> merged;
  for (const file_range& range : ranges) {
    if (!merged.empty() && range.begin <= merged.back().end) {
      merged.back().end = std::max(merged.back().end, range.end);
    } else {
      merged.push_back(range);
    }
  }
  return merged;
}

std::vector<file_range> gaps(const std::vector<file_range>& ranges, std::uint64_t size) {
  std::vector<file_range> rest;
  std::uint64_t at = 0;
  for (const file_range& range : ranges) {
    if (range.begin > at) rest.push_back({at, range.begin});
    at = range.end;
  }
  if (at < size) rest.push_back({at, size});
  return rest;
}

}  // namespace autoreload
