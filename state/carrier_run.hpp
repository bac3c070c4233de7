// SPDX-License-Identifier: MIT
// carrier_run: executes steps: first only to learn where pointers lead, then to write the new values.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "state/program.hpp"
#include "state/remarks.hpp"
#include "state/side.hpp"

namespace autoreload::state {

using word = std::array<std::byte, sizeof(std::uint64_t)>;

/// Where a number or a pointer of a variable stands, or a copy of what it means when its optimiser left it two values.
/// @return null when it has no memory
[[nodiscard]] const std::byte* value_at(const side& in, const types::variable& v, std::uint64_t offset,
                                        std::size_t size, word& copy);

/// The pointer that stands at a place, which may have no alignment.
[[nodiscard]] std::uint64_t read_pointer(const std::byte* at);
void write_pointer(std::byte* at, std::uint64_t value);

/// What a pointer becomes.
using resolve = std::function<std::uint64_t(std::uint64_t pointer, const step& s)>;

/// Calls `visit` for every pointer among the steps, with where it stands. Writes nothing.
void each_pointer(const std::vector<step>& steps, const std::byte* from,
                  const std::function<void(const std::byte* at, const step& s)>& visit);

/// Writes the new value. @param said  numbers that had no place in their new types
void run(const std::vector<step>& steps, const std::byte* from, std::byte* to, const resolve& pointers, remarks& said);

/// The same for a variable that lies in pieces in one of the builds: only steps of one piece each.
void run_in_pieces(const std::vector<step>& steps, const side& was, const types::variable& before, const side& is,
                   const types::variable& now, const resolve& pointers, remarks& said);
/// The same as each_pointer().
void each_pointer_in_pieces(const std::vector<step>& steps, const side& was, const types::variable& before,
                            const std::function<void(const std::byte* at, const step& s)>& visit);

}  // namespace autoreload::state
