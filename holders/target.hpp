// SPDX-License-Identifier: MIT
// target: the library that is looked for, as a word of memory is compared with it.
//
// All of it is async-signal-safe: the process that stops threads uses it, too.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include <autoreload/unload.hpp>

namespace autoreload::holding {

/// Where a word leads to.
enum class leads : std::uint8_t { nowhere, data, code };

// What glibc hides saved instruction pointers and handlers by (setjmp, atexit); 0 where it is not known.
[[nodiscard]] inline std::uint64_t pointer_guard() noexcept {
  std::uint64_t guard = 0;
#if defined(__x86_64__) && defined(__GLIBC__)
  asm("mov %%fs:0x30, %0" : "=r"(guard));
#endif
  return guard;
}

inline constexpr bool knows_hidden_pointers =
#if defined(__x86_64__) && defined(__GLIBC__)
    true;
#else
    false;
#endif

[[nodiscard]] inline std::uint64_t unhide(std::uint64_t word, std::uint64_t guard) noexcept {
  return (word >> 17 | word << 47) ^ guard;
}

/// A library. It holds no absolute address but the base, to which nobody has a pointer that matters: the file's header
/// is there. So its copies are never mistaken for holders.
struct target {
  struct part {
    std::uint64_t offset;
    std::uint64_t size;
    bool code;
  };
  static constexpr std::size_t most_parts = 16;

  std::uintptr_t base = 0;
  std::array<part, most_parts> parts{};
  std::size_t count = 0;
  std::uint64_t low = 0;   // of all parts, from the base
  std::uint64_t span = 0;  // from there to the end of all

  explicit target(const held_image& image) noexcept : base(image.base) {
    std::uint64_t high = 0;
    low = ~std::uint64_t{0};
    for (const held_segment& one : image.segments) {
      if (count == most_parts) break;
      parts[count++] = {one.offset, one.size, one.executable};
      low = one.offset < low ? one.offset : low;
      high = one.offset + one.size > high ? one.offset + one.size : high;
    }
    if (count == 0) low = 0;
    span = high - low;
  }

  [[nodiscard]] leads leads_to(std::uint64_t word) const noexcept {
    const std::uint64_t offset = word - base;
    if (offset == 0) return leads::nowhere;
    for (std::size_t i = 0; i < count; ++i) {
      if (offset - parts[i].offset < parts[i].size) return parts[i].code ? leads::code : leads::data;
    }
    return leads::nowhere;
  }
};

/// A word that leads into the library. No absolute address of the library's, for the same reason.
struct word_found {
  std::uintptr_t at = 0;     // or a register's, see tracer.hpp
  std::uint64_t offset = 0;  // from the library's base
  bool code = false;
  bool hidden = false;  // by the pointer guard
};

/// Calls `found(word_found)` for each word that leads into the library.
/// @param at  where the words are in the process
template <class Found>
void scan_words(const std::uint64_t* words, std::size_t count, std::uintptr_t at, const target& what, Found&& found) {
  const std::uint64_t begin = what.base + what.low;
  const std::uint64_t span = what.span;
  const std::uint64_t guard = pointer_guard();
  constexpr std::size_t step = 32;
  for (std::size_t i = 0; i < count; i += step) {
    const std::size_t end = i + step < count ? i + step : count;
    // No branch for each word: what leads somewhere is rare.
    bool any = false;
    for (std::size_t k = i; k < end; ++k) {
      any |= words[k] - begin < span;
      if constexpr (knows_hidden_pointers) any |= unhide(words[k], guard) - begin < span;
    }
    if (!any) continue;
    for (std::size_t k = i; k < end; ++k) {
      for (const bool hidden : {false, true}) {
        if (hidden && !knows_hidden_pointers) continue;
        const std::uint64_t word = hidden ? unhide(words[k], guard) : words[k];
        const leads where = what.leads_to(word);
        if (where == leads::nowhere || (hidden && where == leads::data)) continue;
        found(word_found{at + k * sizeof(std::uint64_t), word - what.base, where == leads::code, hidden});
      }
    }
  }
}

}  // namespace autoreload::holding
