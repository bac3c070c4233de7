// SPDX-License-Identifier: MIT
// program: how one value becomes another: a list of steps, worked out ahead and run without a decision left.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <autoreload/state.hpp>

#include "state/layout.hpp"
#include "state/number.hpp"

namespace autoreload::state {

/// An old constant's value in a changed enumeration.
struct choice {
  std::string name;
  number was;
  std::optional<number> is;  ///< nothing: the new enumeration has no constant of the name
};

enum class action : std::uint8_t {
  copy,     ///< bytes that mean the same
  convert,  ///< a number of one format into one of another
  choose,   ///< an enumeration's value, by its constant's name
  follow,   ///< a pointer, which may lead into the old build
  repeat,   ///< `body` for each element of an array
};

struct step {
  action what = action::copy;
  std::uint64_t from = 0;   ///< bytes from the start of the old value, or inside a repeat of the old element
  std::uint64_t to = 0;     ///< the same in the new one
  std::uint64_t size = 0;   ///< bytes of a copy; elements of a repeat
  std::uint64_t first = 0;  ///< of an array: which element it begins with
  /// The types carried: of the whole value; of what a pointer leads to; of a repeat's element.
  type_index was = 0;
  type_index is = 0;
  bool optional = false;        ///< a pointer inside of a union, which may be something else at the moment
  number_format from_format{};  ///< convert, choose
  number_format to_format{};
  std::uint64_t from_stride = 0;  ///< repeat
  std::uint64_t to_stride = 0;
  std::vector<step> body{};
  std::shared_ptr<const std::vector<choice>> choices{};
  bool unnamed_stay = false;  ///< choose: a value without a constant, as flags together have, stays the same number
  std::string path{};         ///< from the variable's name on: `.speed`, `[3].x`
};

struct program {
  std::vector<step> steps;
  std::vector<state_remark> remarks;  ///< known from the types alone; `variable` is a path
};

/// Whether a pointer is among the steps.
[[nodiscard]] bool follows_pointers(const std::vector<step>& steps);

}  // namespace autoreload::state
