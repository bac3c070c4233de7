// SPDX-License-Identifier: MIT
// library_types: what a library's functions, variables and types are. The one file that knows how they are read.
#pragma once

#include <string>
#include <vector>

#include "library.hpp"
#include "types/description.hpp"

namespace autoreload::command {

/// What to read.
struct types_wanted {
  std::vector<std::string> names{};  ///< symbols, tags, typedefs and constants
  bool everything = false;           ///< all exported symbols and all types, whatever `names` says
  bool all_symbols = false;          ///< all exported symbols
  bool scoped = false;               ///< also the scoped_names(), as symbols
  bool api_fields = false;           ///< what a host's API structs expect, as symbols
  std::vector<std::string>
      headers{};  ///< as an #include names them: the types come from there, and not from the library
  std::vector<std::string> include_directories{};
  std::string compiler = "cc";  ///< that reads the headers
};

/// Reads debug information in a process of its own. What is not there is not described; `problems` says why.
/// @return an error when nothing can be read at all, with the flag or option that mends it
[[nodiscard]] result<types::description> read_types(const library& of, const types_wanted& wanted);

/// The program that reads debug information in a process of its own.
[[nodiscard]] std::string helper_program();

/// The file that has a library's debug information: itself, a separate one, or nothing.
[[nodiscard]] std::string debug_file_of(const library& of);

}  // namespace autoreload::command
