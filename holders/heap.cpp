// SPDX-License-Identifier: MIT
// heap: goes from chunk to chunk, as each says how long it is.
//
// CHUNKS  - size (with three flags) at byte 8, the block from byte 16 on to byte 8 of the next chunk. The next chunk's
//           lowest flag says whether this one is in use; a block in a thread's own store of free ones counts as used
//           there, and carries a mark in its second word.
//         - the main heap begins with a chunk. Each other heap lies at a multiple of 64 MB and begins with its size and
//           where its arena is. A large block is a mapping of its own, with flag 2.
// The program goes on meanwhile: a chain that doesn't come to the end is believed in nothing.
#include "holders/heap.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>

#include "system/own_memory.hpp"

namespace autoreload::holding {
namespace {

constexpr std::uint64_t flags = 7;
constexpr std::uint64_t used_before = 1;
constexpr std::uint64_t own_mapping = 2;
constexpr std::uint64_t header = 16;
constexpr std::uint64_t smallest = 32;
constexpr std::uintptr_t arena_size = std::uintptr_t{64} << 20;

// From a block that was given back a moment ago.
std::uint64_t read_freed_mark() {
#ifdef __GLIBC__
  void* volatile block = std::malloc(24);
  const auto at = reinterpret_cast<std::uintptr_t>(block);
  std::free(block);
  std::array<std::uint64_t, 2> words{};
  return copy_memory(at, words.data(), sizeof words) == sizeof words ? words[1] : 0;
#else
  return 0;
#endif
}

bool is_size(std::uint64_t size) { return size >= smallest && size % header == 0; }

}  // namespace

heap_blocks::heap_blocks(const mapping_list& all)
    : all_(all), freed_mark_(read_freed_mark()), window_(std::size_t{64} << 10) {}

std::uint64_t heap_blocks::word_at(std::uintptr_t address) const {
  if (address < window_at_ || address + 8 > window_at_ + window_size_) {
    window_at_ = address & ~(page_size() - 1);
    window_size_ = copy_memory(window_at_, window_.words(), window_.size());
    if (address + 8 > window_at_ + window_size_) return 0;
  }
  return window_.words()[(address - window_at_) / 8];
}

// Calls visit(chunk, size) for each chunk, the last one included. @return whether it came to the end
template <class Visit>
bool heap_blocks::walk(const region& where, Visit&& visit) const {
  for (std::uintptr_t chunk = where.first; chunk < where.end;) {
    const std::uint64_t size = word_at(chunk + 8) & ~flags;
    if (!is_size(size) || (size > where.end - chunk && !where.grows)) return false;
    visit(chunk, size);
    chunk += size;
    if (chunk >= where.end) return true;
  }
  return false;
}

std::optional<heap_blocks::region> heap_blocks::arena_of(std::uintptr_t address) const {
  const std::uintptr_t base = address & ~(arena_size - 1);
  const std::uint64_t size = word_at(base + 16);
  if (size == 0 || size > arena_size || address - base >= size) return std::nullopt;
  // Behind the head of this heap, or of the arena if it has that, too: their lengths change from version to version.
  const auto comes_to_the_end = [&](std::uintptr_t first) {
    return walk({base + first, base + size}, [](std::uintptr_t, std::uint64_t) {});
  };
  for (const std::uintptr_t first : {0x20U, 0x30U, 0x40U}) {
    if (comes_to_the_end(first)) return region{base + first, base + size};
  }
  for (std::uintptr_t first = 0x800; first < 0xa00; first += header) {
    if (comes_to_the_end(first)) return region{base + first, base + size};
  }
  return std::nullopt;
}

std::optional<heap_blocks::region> heap_blocks::region_of(std::uintptr_t address) const {
  const mapping* const home = find_mapping(all_, address);
  if (home == nullptr) return std::nullopt;
  if (home->name == "[heap]") return region{home->where.begin, home->where.end, true};
  if (const auto arena = arena_of(address)) return arena;
  // Large blocks may lie one behind the other.
  for (std::uintptr_t chunk = home->where.begin; chunk < home->where.end;) {
    const std::uint64_t word = word_at(chunk + 8);
    const std::uint64_t size = word & ~flags;
    if ((word & own_mapping) == 0 || size == 0 || size % page_size() != 0 || size > home->where.end - chunk) break;
    if (address < chunk + size) return region{chunk, chunk + size};
    chunk += size;
  }
  return std::nullopt;
}

bool heap_blocks::is_free(std::uintptr_t chunk, std::uint64_t size, std::uintptr_t end) const {
  if ((word_at(chunk + 8) & own_mapping) != 0) return false;
  if (freed_mark_ != 0 && word_at(chunk + header + 8) == freed_mark_) return true;
  return chunk + size >= end || (word_at(chunk + size + 8) & used_before) == 0;
}

void heap_blocks::find(const unseen_list<word_found>& words) {
#ifdef __GLIBC__
  unseen_list<std::uintptr_t> wanted;
  wanted.reserve(words.size());
  for (const word_found& word : words) wanted.push_back(word.at);
  std::sort(wanted.begin(), wanted.end());
  for (auto next = wanted.begin(); next != wanted.end();) {
    const std::optional<region> home = region_of(*next);
    if (!home) {
      ++next;
      continue;
    }
    const auto last = std::lower_bound(next, wanted.end(), home->end);
    unseen_list<heap_block> here;
    const bool whole = walk(*home, [&](std::uintptr_t chunk, std::uint64_t size) {
      while (next != last && *next < chunk + header) ++next;
      if (next == last || *next >= chunk + size + 8) return;
      here.push_back({{chunk + header, chunk + size + 8}, is_free(chunk, size, home->end)});
    });
    if (whole) found_.insert(found_.end(), here.begin(), here.end());
    next = last;
  }
#else
  (void)words;
#endif
}

const heap_block* heap_blocks::at(std::uintptr_t address) const {
  const auto next = std::upper_bound(found_.begin(), found_.end(), address,
                                     [](std::uintptr_t at, const heap_block& one) { return at < one.where.begin; });
  if (next == found_.begin() || std::prev(next)->where.end <= address) return nullptr;
  return &*std::prev(next);
}

std::optional<heap_block> heap_blocks::beginning_at(std::uintptr_t address) const {
  if (address % header != 0 || address < page_size()) return std::nullopt;
  const std::uintptr_t chunk = address - header;
  const std::uint64_t word = word_at(chunk + 8);
  const std::uint64_t size = word & ~flags;
  if (!is_size(size) || size > (std::uint64_t{1} << 40)) return std::nullopt;
  if ((word & own_mapping) != 0) {
    if (size % page_size() != 0 || chunk % page_size() != 0) return std::nullopt;
    return heap_block{{address, chunk + size}, false};
  }
  const std::uint64_t next = word_at(chunk + size + 8);
  if ((next & used_before) == 0 || (next & ~flags) < header) return std::nullopt;
  return heap_block{{address, chunk + size + 8}, false};
}

std::string block_in_words(const heap_block& block, std::uintptr_t address) {
  std::array<char, 96> text;
  std::snprintf(text.data(), text.size(), "heap block of %llu bytes at 0x%llx, byte %llu",
                static_cast<unsigned long long>(block.where.end - block.where.begin),
                static_cast<unsigned long long>(block.where.begin),
                static_cast<unsigned long long>(address - block.where.begin));
  return text.data();
}

}  // namespace autoreload::holding
