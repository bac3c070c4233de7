// SPDX-License-Identifier: MIT
// unwind_table: a place's entry in .eh_frame, by the sorted table of .eh_frame_hdr (System V ABI; Linux Standard Base,
// chapter 10.6).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "holders/frames.hpp"

namespace autoreload::holding {

/// An entry for a function: how its callers' registers are found.
struct unwind_entry {
  std::uintptr_t begin = 0;
  std::uintptr_t first = 0;  ///< of its instructions
  std::uintptr_t last = 0;
  std::uintptr_t common_first = 0;  ///< of those that are common to many
  std::uintptr_t common_last = 0;
  std::uint64_t code_step = 1;
  std::int64_t data_step = 1;
  std::uint64_t return_register = frame_registers::instruction;
  bool is_signals = false;
};

/// @param table  of .eh_frame_hdr @return nothing when no entry describes the instruction. Async-signal-safe.
[[nodiscard]] std::optional<unwind_entry> find_entry(std::uintptr_t table, std::uintptr_t instruction) noexcept;

}  // namespace autoreload::holding
