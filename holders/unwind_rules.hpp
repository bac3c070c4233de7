// SPDX-License-Identifier: MIT
// unwind_rules: how the registers of a call's caller are found (DWARF 5, chapter 6.4, and the System V ABI for what
// .eh_frame has beyond). Async-signal-safe.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "holders/frames.hpp"
#include "holders/unwind_table.hpp"

namespace autoreload::holding {

/// Where a register of the caller's is.
struct unwind_rule {
  enum class is : std::uint8_t { same, unknown, at_offset, offset, other, at_expression, expression };
  is what = is::same;
  std::int64_t offset = 0;  ///< or the other register's number, or an expression's address
};
struct unwind_rules {
  std::array<unwind_rule, frame_registers::count> of{};
  std::uint64_t frame_register = frame_registers::stack_pointer;
  std::int64_t frame_offset = 0;
  std::uintptr_t frame_expression = 0;
};

/// What holds at an instruction of the function. @return nothing when the table has what is not known here
[[nodiscard]] std::optional<unwind_rules> rules_at(const unwind_entry& of, std::uintptr_t instruction) noexcept;
/// The address that all the rules are told from: the caller's stack pointer, mostly.
[[nodiscard]] std::optional<std::uint64_t> frame_of(const unwind_rules& how, const frame_registers& now) noexcept;
/// A register of the caller's. @param number  of that register @param frame  by frame_of()
[[nodiscard]] std::optional<std::uint64_t> value_of(const unwind_rule& how, std::size_t number, std::uint64_t frame,
                                                    const frame_registers& now) noexcept;

}  // namespace autoreload::holding
