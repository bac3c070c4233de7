// SPDX-License-Identifier: MIT
// standin_format: what the writer of stand-ins leaves in one for the agent that runs beside it.
//
// A stand-in is the library itself, with all its code and data where they were, and three segments more: tables for the
// dynamic loader, stubs, and this header with a table of addresses. An exported function's symbol leads to its stub,
// which jumps through the table.
//
// SHARED  `table`: read by every call of every thread, written by the agent. A release store: who jumps through a new
//         table finds it filled, and x86-64's loads are acquires.
//         `notice` and `waiting`: written once, before the first table that needs them.
//         `boundary`: written once, before `next`.
//         `next`: stored (release) before any table leads the boundary's slot to its notice.
//         `gate`: counts how often the gate before the calls was opened: see gate.hpp.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace autoreload::exec {

/// A slot's function: its name and its version, by their offsets in the strings. A slot that is free has no name.
struct slot_name {
  std::uint32_t name = 0;
  std::uint32_t version = 0;  ///< 0: none
};

struct standin_header {
  static constexpr std::uint64_t expected = 0x31636578656c7261;  // "arlexec1"

  std::uint64_t magic = expected;
  std::uint32_t functions = 0;         ///< slots with a name: the first ones
  std::uint32_t slots = 0;             ///< with those that are free, for functions of later builds
  std::uint64_t contents = 0;          ///< a digest of what the loader maps of the file
  std::atomic<void* const*> table;     ///< where stubs jump to: an address for each slot
  void* const* first_table = nullptr;  ///< of the library's own functions
  const slot_name* names = nullptr;    ///< of the first slots
  const char* strings = nullptr;       ///< that they are in
  const char* path = nullptr;          ///< the library's file, absolute
  std::byte* stubs = nullptr;          ///< a slot's stub is at `stub_size` times its number
  std::byte* notices = nullptr;        ///< the same for code that tells `notice` of a call
  std::atomic<void (*)()> notice;      ///< jumped to with the header in r10 and the slot in r11
  void* const* waiting = nullptr;      ///< a table by which all calls wait; null: there is none yet
  std::atomic<std::uint32_t> gate;     ///< what they wait for
  std::uint32_t boundary = 0;          ///< the slot by whose notice calls go over to `next`
  std::atomic<void* const*> next;      ///< the table that is to come; null: there is none
  std::uint64_t reserved = 0;
};
static_assert(std::is_standard_layout_v<standin_header> && sizeof(std::atomic<void* const*>) == sizeof(void*));
static_assert(sizeof(standin_header) == 120);  // written to files

/// The entry of the dynamic section that leads to the header: a tag that no system uses.
inline constexpr std::int64_t standin_tag = 0x61726c65;
inline constexpr std::size_t stub_size = 32;

}  // namespace autoreload::exec
