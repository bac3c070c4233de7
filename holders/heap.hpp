// SPDX-License-Identifier: MIT
// heap: which block of malloc's an address lies in.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <autoreload/unload.hpp>

#include "holders/mappings.hpp"
#include "holders/memory.hpp"
#include "holders/target.hpp"
#include "holders/unseen.hpp"

namespace autoreload::holding {

/// A block.
struct heap_block {
  memory_range where;  ///< what its owner may use
  bool free = false;   ///< it has none
};

/// Knows glibc's malloc, by what that writes around each block. Blocks of others are not found.
class heap_blocks {
 public:
  explicit heap_blocks(const mapping_list& all);

  /// Finds the blocks that these words lie in. Goes through each heap that has one of them.
  void find(const unseen_list<word_found>& words);
  /// One that was found, or null.
  [[nodiscard]] const heap_block* at(std::uintptr_t address) const;
  /// The block that begins at an address, if one does. Reads two words.
  [[nodiscard]] std::optional<heap_block> beginning_at(std::uintptr_t address) const;

 private:
  struct region {
    std::uintptr_t first;  // chunk
    std::uintptr_t end;
    bool grows = false;  // it may have become longer since
  };
  [[nodiscard]] std::optional<region> region_of(std::uintptr_t address) const;
  [[nodiscard]] std::optional<region> arena_of(std::uintptr_t address) const;
  [[nodiscard]] bool is_free(std::uintptr_t chunk, std::uint64_t size, std::uintptr_t end) const;
  template <class Visit>
  bool walk(const region& where, Visit&& visit) const;
  [[nodiscard]] std::uint64_t word_at(std::uintptr_t address) const;

  const mapping_list& all_;
  std::uint64_t freed_mark_;  // what the C library writes into a block that it keeps for the next malloc; 0: not known
  copied_words window_;
  mutable std::uintptr_t window_at_ = 0;
  mutable std::size_t window_size_ = 0;
  unseen_list<heap_block> found_;  // in order
};

/// Such as `heap block of 64 bytes at 0x55d1a0, byte 16`.
[[nodiscard]] std::string block_in_words(const heap_block& block, std::uintptr_t address);

}  // namespace autoreload::holding
