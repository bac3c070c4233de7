// SPDX-License-Identifier: MIT
// compile_database: reads compile_commands.json.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace autoreload::building {

/// How one source is compiled.
struct compile_entry {
  std::string source;              ///< absolute
  std::string directory;           ///< absolute
  std::vector<std::string> words;  ///< the whole command
};

/// The entries that make sense; none for a damaged text, or where this was built without nlohmann-json.
/// @param from  the file's directory, which relative ones start from
[[nodiscard]] std::vector<compile_entry> read_compile_database(std::string_view text, const std::string& from);

/// The options of a compiler's command that say how a source is compiled: without its output, its inputs, what it is
/// linked with, and depfiles.
/// @param words  from the first word after the compiler
[[nodiscard]] std::vector<std::string> compile_options(const std::vector<std::string>& words);

}  // namespace autoreload::building
