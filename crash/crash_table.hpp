// SPDX-License-Identifier: MIT
// crash_table: which addresses belong to which generation, readable from a signal handler.
//
// SHARED  - the slots. Written by add and remove under a mutex that no reader takes; read at any moment, by any thread,
//           also by one that was interrupted inside add. Each slot is a sequence lock: `version` is odd while its words
//           change. The words are stored with release and loaded with acquire, so that whoever read a new word then
//           finds the odd version stored before it, and rejects the mixture; the version is made even by a release
//           store and first read by an acquire load, so that an even version comes with all of its words. A reader
//           never waits: a slot that is being written is skipped after a few attempts.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "reload/inspect/inspect.hpp"

namespace autoreload::crash_table {

/// Generations that can be known at a time, loaded and unloaded together. When all are loaded, the oldest is forgotten
/// that is not the newest of its path; when there is no such one either (so many libraries), new ones go unreported.
inline constexpr std::size_t capacity = 64;
/// Unloaded generations that are remembered at most; the oldest goes first.
inline constexpr std::size_t remembered = 16;
/// Bytes of snapshots of unloaded generations that are kept for their symbols; the oldest goes first.
inline constexpr std::uint64_t remembered_bytes = std::uint64_t{64} << 20;

/// Addresses from `begin` up to, not including, `end`.
struct address_range {
  std::uintptr_t begin = 0;
  std::uintptr_t end = 0;
  [[nodiscard]] bool holds(std::uintptr_t address) const noexcept { return address >= begin && address < end; }
};

struct entry {
  std::uint64_t ticket = 0;  ///< 0: the slot is free. Larger ones are younger
  std::uint64_t number = 0;  ///< the generation's
  std::uintptr_t base = 0;   ///< address of the library's address 0
  address_range image;       ///< code and data
  std::array<address_range, 4> code;
  std::int64_t loaded = 0;    ///< steady clock, ns
  std::int64_t unloaded = 0;  ///< steady clock, ns; 0 while it is loaded
  /// A descriptor or -1: the generation's own while it is loaded, then a duplicate of the table's.
  std::int64_t snapshot = -1;
  dev_t device = 0;  ///< of the snapshot, in case its descriptor gets closed by somebody else
  ino_t inode = 0;
  std::array<char, 256> path{};  ///< the end of it, if it is longer; ends with a zero byte

  [[nodiscard]] bool has_code_at(std::uintptr_t address) const noexcept {
    for (const address_range& range : code) {
      if (range.holds(address)) return true;
    }
    return false;
  }
};

/// Makes a generation known, right after it was loaded. Its load time is now.
/// @param path      the library as the user named it
/// @param base      the load base (link_map::l_addr)
/// @param segments  its PT_LOADs
/// @param snapshot  the file that was loaded; the caller's, which stays open until remove() has returned
/// @return what remove() wants; 0 when the table is full, which is no error
/// Any thread.
[[nodiscard]] std::uint64_t add(std::uint64_t number, std::string_view path, std::uintptr_t base,
                                std::span<const load_segment> segments, int snapshot);

/// Makes a generation the youngest, as it is called again: while others come and go it is not forgotten.
/// @return its new ticket; 0 when it was forgotten before, so that it has to be added. Any thread.
[[nodiscard]] std::uint64_t renew(std::uint64_t ticket) noexcept;

/// Marks it as unloaded, now. Call it when the code has left memory; a generation that stays for ever is never removed.
/// Any thread. A ticket of 0, or of a generation that was forgotten since, does nothing.
void remove(std::uint64_t ticket);

/// Whether snapshots of unloaded generations are kept for their symbols. Off at first, since that costs memory.
void keep_snapshots(bool keep);

/// Where the table itself lies, which has addresses of all generations.
[[nodiscard]] std::array<std::span<const std::byte>, 2> own_memory() noexcept;

/// Reads the slot numbered `slot`, less than capacity. @return false when it is free or being written.
/// Async-signal-safe.
[[nodiscard]] bool read(std::size_t slot, entry& into) noexcept;

}  // namespace autoreload::crash_table
