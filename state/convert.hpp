// SPDX-License-Identifier: MIT
// convert: from two types to the steps that carry a value of the one into a value of the other.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "state/program.hpp"

namespace autoreload::state {

/// Works out the steps. A pure function of the types: it reads no memory.
///
/// @param path  how remarks name the value
/// @param fine  no step may carry more than one number, pointer, or array of numbers: the value lies in pieces
[[nodiscard]] program convert(typed was, typed is, const std::string& path, bool fine = false);

/// A copy by the copies of its parts: of a struct's fields, of an array's only element. Empty for what has no parts.
[[nodiscard]] std::vector<step> split(const description& was, const description& is, const step& coarse);
/// How many elements a repeat or the copy of an array has; 1 of everything else.
[[nodiscard]] std::uint64_t elements_of(const description& was, const step& of);
/// The first half of the elements, and the rest. @param whole  of more than one
[[nodiscard]] std::pair<step, step> halve(const description& was, const step& whole);
/// A repeat's steps one after the other.
[[nodiscard]] std::vector<step> unrolled(const step& loop);

/// `.x`, or `x` where nothing stands before it.
[[nodiscard]] std::string join(const std::string& path, const std::string& name);

}  // namespace autoreload::state
