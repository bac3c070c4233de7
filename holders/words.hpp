// SPDX-License-Identifier: MIT
// words: makes holders of the words that were found.
#pragma once

#include <cstddef>
#include <vector>

#include <autoreload/unload.hpp>

#include "holders/names.hpp"
#include "holders/thread_data.hpp"
#include "holders/threads.hpp"

namespace autoreload::holding {

/// Holders that are named in a report; the others are counted.
inline constexpr std::size_t most_named = 16;

/// What is needed to name what was found.
struct naming {
  const held_image& image;
  file_bytes file;  // the library's
  const std::vector<loaded_object>& objects;
  const std::vector<thread_block>& blocks;  // thread-local

  /// The block that has an address, or null.
  [[nodiscard]] const thread_block* block_at(std::uintptr_t address) const noexcept;
};

/// Such as `mix()+0x1c`, or `the library at +0x4010`.
[[nodiscard]] std::string place_in_words(const naming& names, std::uint64_t offset, bool code);

/// One holder for each thread, by the word that says most: where it runs, where it returns to, what it points to.
[[nodiscard]] std::vector<holder> threads_in_words(const naming& names, const thread_findings& found);

/// The signals whose handlers lie in the library.
[[nodiscard]] std::vector<holder> signal_handlers(const naming& names);

}  // namespace autoreload::holding
