// SPDX-License-Identifier: MIT
// own_heap: which blocks of malloc's nobody but the library itself can reach.
//
// A list, a map or an object with virtual functions that a library keeps on the heap leads back into the library. That
// is no reason to keep it loaded: who holds such a block only through the library's own variables goes with it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include <autoreload/unload.hpp>

#include "holders/heap.hpp"
#include "holders/mappings.hpp"
#include "holders/memory.hpp"

namespace autoreload::holding {

/// The blocks that the library leads to, and which of them others lead to as well. Its own books have no pointer to a
/// block: all addresses are inverted in them.
class own_heap {
 public:
  own_heap(const mapping_list& all, const heap_blocks& heap) : all_(all), heap_(heap) {}

  /// Follows the pointers from the library's variables on. @return false when there is too much of it
  [[nodiscard]] bool follow(const std::vector<memory_range>& variables, const std::atomic<bool>* cancelled);
  /// Whether the library leads to the block that has an address.
  [[nodiscard]] bool has(std::uintptr_t address) const { return find(address) != none; }
  /// What is not looked at for pointers into the blocks: themselves.
  void leave_out_blocks(left_out& out) const;
  /// Goes through memory of others, or registers. @param at  where it is; 0: in no block
  void look_for_others(std::span<const std::uint64_t> words, std::uintptr_t at);
  /// After all were looked at: what others lead to leads to more.
  void follow_others();
  /// Whether nobody but the library leads to the block that has an address.
  [[nodiscard]] bool is_own(std::uintptr_t address) const;

 private:
  struct block {
    std::uint64_t inverted;  // where it begins
    std::uint64_t size;
    bool others = false;
  };
  struct pointer_of_others {
    std::uintptr_t at;
    std::size_t to;
  };
  static constexpr std::size_t none = ~std::size_t{0};

  template <class Visit>
  void each_word(memory_range where, Visit&& visit) const;
  void add(std::uint64_t word);
  [[nodiscard]] std::size_t find(std::uintptr_t address) const;
  void mark(std::size_t one);

  const mapping_list& all_;
  const heap_blocks& heap_;
  unseen_list<block> blocks_;                             // in order, once they are all there
  std::unordered_map<std::uint64_t, std::size_t> known_;  // by where they begin, inverted
  unseen_list<pointer_of_others> others_;
  std::vector<std::size_t> waiting_;
  std::uint64_t bytes_ = 0;
  bool too_many_others_ = false;
};

}  // namespace autoreload::holding
