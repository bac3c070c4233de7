// SPDX-License-Identifier: MIT
// missing_function: the end of a program that calls what the newest build lacks.
#pragma once

#include <cstdint>

#include "exec/standin_format.hpp"

namespace autoreload::exec {

/// Says which function is gone, and ends the program.
/// @param slot  of the function that was called
[[noreturn]] void end_for_missing(const standin_header* library, std::uint32_t slot) noexcept;

}  // namespace autoreload::exec
