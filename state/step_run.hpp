// SPDX-License-Identifier: MIT
// step_run: carries numbers, the one kind of step whose outcome depends on the value.
#pragma once

#include <cstddef>
#include <string>

#include "state/program.hpp"

namespace autoreload::state {

/// Bytes that hold a number: of a bit-field those that it touches.
[[nodiscard]] inline std::size_t bytes_of(const number_format& f) {
  return f.bit_size != 0 ? (f.bit + f.bit_size + 7) / 8 : f.size;
}

/// Writes the value at `from` to `to`; of a bit-field no other bits. @return false: it has no place there, and nothing
/// was written
[[nodiscard]] bool carry_number(const step& s, const std::byte* from, std::byte* to);

/// The value at `from`, for a person.
[[nodiscard]] std::string say_number(const step& s, const std::byte* from);

}  // namespace autoreload::state
