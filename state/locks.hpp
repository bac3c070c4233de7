// SPDX-License-Identifier: MIT
// locks: finds the mutexes among a library's variables, and asks whether one is held.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "state/layout.hpp"
#include "state/side.hpp"

namespace autoreload::state {

struct lock {
  std::string name;       ///< of the variable, with its field
  std::uint64_t address;  ///< as the old file has it
  enum class sort : std::uint8_t { mutex, read_write, spin } what;
};

/// Every mutex, reader-writer lock and spin lock in a variable, fields and elements included.
void find_locks(const side& in, const types::variable& v, std::vector<lock>& into);

/// Whether somebody holds it.
[[nodiscard]] bool is_held(const side& in, const lock& of);

}  // namespace autoreload::state
