// SPDX-License-Identifier: MIT
// own_heap: first what the library leads to, then who else leads there.
#include "holders/own_heap.hpp"

#include <algorithm>
#include <utility>

#include "system/own_memory.hpp"

namespace autoreload::holding {
namespace {

constexpr std::size_t most_blocks = std::size_t{1} << 18;
constexpr std::uint64_t most_bytes = std::uint64_t{256} << 20;
constexpr std::size_t most_others = 4096;

}  // namespace

template <class Visit>
void own_heap::each_word(memory_range where, Visit&& visit) const {
  const copied_words copy(std::min<std::size_t>(std::size_t{64} << 10, (where.end - where.begin + 4095) & ~4095UL));
  for (where.begin = (where.begin + 7) & ~std::uintptr_t{7}; where.begin < where.end;) {
    const std::size_t wanted = std::min(where.end - where.begin, copy.size());
    const std::size_t got = copy_memory(where.begin, copy.words(), wanted);
    for (std::size_t i = 0; i < got / 8; ++i) visit(copy.words()[i]);
    if (got < wanted || got < 8) return;
    where.begin += got;
  }
}

void own_heap::add(std::uint64_t word) {
  const mapping* const home = word % 16 == 0 ? find_mapping(all_, word) : nullptr;
  if (home == nullptr || !home->writable || known_.contains(~word)) return;
  const std::optional<heap_block> found = heap_.beginning_at(word);
  if (!found) return;
  const std::uint64_t size = found->where.end - found->where.begin;
  known_.emplace(~word, blocks_.size());
  waiting_.push_back(blocks_.size());
  blocks_.push_back({~word, size});
  bytes_ += size;
}

bool own_heap::follow(const std::vector<memory_range>& variables, const std::atomic<bool>* cancelled) {
  for (const memory_range& one : variables) each_word(one, [&](std::uint64_t word) { add(word); });
  while (!waiting_.empty()) {
    if (blocks_.size() > most_blocks || bytes_ > most_bytes || (cancelled != nullptr && *cancelled)) return false;
    const block next = blocks_[waiting_.back()];
    waiting_.pop_back();
    each_word({~next.inverted, ~next.inverted + next.size}, [&](std::uint64_t word) { add(word); });
  }
  std::sort(blocks_.begin(), blocks_.end(), [](const block& a, const block& b) { return ~a.inverted < ~b.inverted; });
  return true;
}

std::size_t own_heap::find(std::uintptr_t address) const {
  const auto next = std::upper_bound(blocks_.begin(), blocks_.end(), address,
                                     [](std::uintptr_t at, const block& one) { return at < ~one.inverted; });
  if (next == blocks_.begin() || address - ~std::prev(next)->inverted >= std::prev(next)->size) return none;
  return static_cast<std::size_t>(std::prev(next) - blocks_.begin());
}

void own_heap::leave_out_blocks(left_out& out) const {
  for (const block& one : blocks_) out.add({~one.inverted, ~one.inverted + one.size});
}

void own_heap::look_for_others(std::span<const std::uint64_t> words, std::uintptr_t at) {
  if (blocks_.empty()) return;
  const std::uint64_t low = ~blocks_.front().inverted;
  const std::uint64_t span = ~blocks_.back().inverted + blocks_.back().size - low;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i] - low >= span) continue;
    const std::size_t to = find(words[i]);
    if (to == none || blocks_[to].others) continue;
    if (others_.size() == most_others) {
      too_many_others_ = true;
      return;
    }
    others_.push_back({at == 0 ? 0 : at + i * 8, to});
  }
}

void own_heap::mark(std::size_t one) {
  if (std::exchange(blocks_[one].others, true)) return;
  waiting_.push_back(one);
}

// What lies in a block that was given back counts for nothing.
void own_heap::follow_others() {
  unseen_list<word_found> places;
  places.reserve(others_.size());
  for (const pointer_of_others& one : others_) places.push_back({one.at});
  heap_blocks homes(all_);
  homes.find(places);
  for (const pointer_of_others& one : others_) {
    const heap_block* const home = one.at == 0 ? nullptr : homes.at(one.at);
    if (home == nullptr || !home->free) mark(one.to);
  }
  while (!waiting_.empty()) {
    const block next = blocks_[waiting_.back()];
    waiting_.pop_back();
    each_word({~next.inverted, ~next.inverted + next.size}, [&](std::uint64_t word) {
      if (const std::size_t to = find(word); to != none) mark(to);
    });
  }
}

bool own_heap::is_own(std::uintptr_t address) const {
  const std::size_t found = find(address);
  return found != none && !too_many_others_ && !blocks_[found].others;
}

}  // namespace autoreload::holding
