// SPDX-License-Identifier: MIT
// memory: goes through the writable memory of the process, word by word.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include <autoreload/unload.hpp>

#include "holders/mappings.hpp"
#include "holders/unseen.hpp"

namespace autoreload::holding {

/// Memory that is not looked at. A set of ranges.
class left_out {
 public:
  void add(memory_range range) {
    if (range.begin < range.end) ranges_.push_back(range);
  }
  /// To be called once all are added.
  void sort();
  /// Calls `visit(memory_range)` for the parts of a range that are in none of them.
  template <class Visit>
  void each_other(memory_range range, Visit&& visit) const {
    for (const memory_range& one : ranges_) {
      if (one.end <= range.begin) continue;
      if (one.begin >= range.end) break;
      if (one.begin > range.begin) visit(memory_range{range.begin, one.begin});
      range.begin = one.end;
      if (range.begin >= range.end) return;
    }
    if (range.begin < range.end) visit(range);
  }

 private:
  unseen_list<memory_range> ranges_;
};

/// Room for copies of memory. Mapped as shared, so that it is not looked at itself; and given back at the end, so that
/// the copies are not found in freed memory later.
class copied_words {
 public:
  /// @param size  bytes
  explicit copied_words(std::size_t size);
  copied_words(const copied_words&) = delete;
  copied_words& operator=(const copied_words&) = delete;
  ~copied_words();
  [[nodiscard]] std::uint64_t* words() const noexcept { return words_; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }

 private:
  std::size_t size_;
  std::uint64_t* words_;
};

/// Words at an address.
struct memory_piece {
  std::uintptr_t at;
  std::span<const std::uint64_t> words;
};

/// Hands all of the process's private writable memory that holds anything to `visit`, piece by piece, but what is left
/// out. The pieces are copies, in memory that is left out by itself.
/// @return false when it was cancelled
/// @throws std::bad_alloc
bool each_piece(const mapping_list& all, const left_out& out, const std::atomic<bool>* cancelled,
                const std::function<void(const memory_piece&)>& visit);

/// The stack of the calling thread.
[[nodiscard]] memory_range stack_of_this_thread();

}  // namespace autoreload::holding
