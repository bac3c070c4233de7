// SPDX-License-Identifier: MIT
// untyped: a word that happens to look like a pointer is taken for one: the reload is refused then, which is the safe
// side.
#include "state/untyped.hpp"

#include <algorithm>
#include <cstring>
#include <deque>
#include <unordered_set>
#include <vector>

#include "state/heap_block.hpp"

namespace autoreload::state {

namespace {

constexpr std::size_t most_blocks = 200'000;
constexpr std::uint64_t most_bytes = 64U << 20;

}  // namespace

const std::string* find_reference(std::span<const untyped_pointer> from, process_memory& memory,
                                  const std::function<bool(std::uint64_t)>& moves,
                                  const std::function<bool(std::uint64_t)>& is_known) {
  std::unordered_set<std::uint64_t> seen;
  std::deque<untyped_pointer> waiting(from.begin(), from.end());
  std::vector<std::uint64_t> words;
  for (std::uint64_t bytes = 0; !waiting.empty() && seen.size() < most_blocks && bytes < most_bytes;) {
    const untyped_pointer next = waiting.front();
    waiting.pop_front();
    if (moves(next.value) || is_known(next.value) || !seen.insert(next.value).second) continue;
    const std::uint64_t size = std::min(heap_block_size(memory, next.value).value_or(0), most_bytes - bytes);
    words.resize(size / sizeof(std::uint64_t));
    if (words.empty() || !memory.read(next.value, std::as_writable_bytes(std::span(words)))) continue;
    bytes += size;
    for (const std::uint64_t word : words) {
      if (moves(word)) return next.path;
      if (word % 16 == 0 && word > 4096 && !seen.contains(word)) waiting.push_back({word, next.path});
    }
  }
  return nullptr;
}

}  // namespace autoreload::state
