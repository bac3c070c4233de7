// SPDX-License-Identifier: MIT
// program_state: carries a library's own variables between two builds of a program that shares its exported ones, and
// then sets the pointers right that the program has.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <autoreload/state.hpp>
#include <autoreload/unload.hpp>

#include "holders/unseen.hpp"

namespace autoreload::exec {

/// What is shared between all builds.
struct shared_variables {
  std::vector<std::string> names;
  holding::unseen_list<memory_range> places;  ///< of those that can be written: here nobody finds the addresses
};

/// @param shared  asked for while calls go on
/// @throws std::bad_alloc
[[nodiscard]] std::shared_ptr<state_carrier> program_state(std::shared_ptr<state_carrier> carrier,
                                                           std::function<shared_variables()> shared);

}  // namespace autoreload::exec
