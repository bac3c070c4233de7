// SPDX-License-Identifier: MIT
// scoped_names: names for what a plain name does not reach, as gdb writes them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "library.hpp"
#include "types/description.hpp"

namespace autoreload::command {

struct scoped_name {
  std::string name;
  bool function = false;
  types::type_index type = 0;
  std::uint64_t address = 0;  ///< as the file has it
};

/// `next::counter` for a function's own static variable, `'list.c'::count` for a variable or function of one unit, and
/// `'list.c'::next::counter`. The unit is named by its file's name, or by all of its path as the compiler was told it.
/// A name that means two of them is left out, and so is what the optimiser left no whole place.
/// @param of  was asked for variables and for the types of functions
[[nodiscard]] std::vector<scoped_name> scoped_names(const types::description& of);

[[nodiscard]] inline bool is_scoped(std::string_view name) { return name.find("::") != std::string_view::npos; }

/// The library's own locals and these, by name.
[[nodiscard]] std::vector<local_name> all_locals(const library& of, const types::description& types);

}  // namespace autoreload::command
