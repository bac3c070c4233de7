// SPDX-License-Identifier: MIT
// standin: makes from a library the shared object that a program gets in its place.
#pragma once

#include <cstddef>
#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <vector>

#include <autoreload/error.hpp>

#include "reload/inspect/inspect.hpp"

namespace autoreload::exec {

struct standin_request {
  std::span<const std::byte> bytes;  ///< the library's file, whole: inspect() called it sound
  const elf_facts& facts;
  std::string path;                ///< absolute
  std::string name;                ///< by which it is needed (DT_NEEDED): its DT_SONAME; empty: leave that as it is
  std::set<std::string> replaced;  ///< functions that the program has itself: the library goes on calling those
};

/// The stand-in's file. Runs no compiler and nothing of the library's.
/// @return an error of stage load for another machine than x86-64, and for a library without dynamic symbols
/// Thread-safety: any thread.
[[nodiscard]] result<std::vector<std::byte>> make_standin(const standin_request& wanted);

}  // namespace autoreload::exec
