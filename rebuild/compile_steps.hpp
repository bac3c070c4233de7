// SPDX-License-Identifier: MIT
// compile_steps: the compilations that made a library, and the command that does them again.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "rebuild/debug_file.hpp"

namespace autoreload::building {

/// How one source is compiled.
struct compile_step {
  std::string directory;
  std::string source;  ///< as the compiler is told
  std::vector<std::string> compiler;
  std::vector<std::string> options;
  [[nodiscard]] std::string path() const { return (std::filesystem::path(directory) / source).lexically_normal(); }
};

/// One way in which a library may have been made.
struct compile_candidate {
  std::vector<compile_step> steps;
  std::vector<std::string> link;  ///< options of the compiler's driver
  std::string from;               ///< where it was found, for a person
  std::string database;           ///< compile_commands.json, or empty
};

/// The steps as the debug information has them. @return why not, as a clause, or nothing
[[nodiscard]] std::string read_steps(debug_file& debug, std::vector<compile_step>& into);

/// How the library may have been made, the likeliest first: by a compile_commands.json that has all steps, then by the
/// options that compilers record.
[[nodiscard]] std::vector<compile_candidate> candidates_for(const std::string& library,
                                                            const std::vector<compile_step>& steps);

/// The command that does the steps, and links. One compiler's command when all are alike, else a shell's script.
/// @param link  options of the compiler's driver
[[nodiscard]] std::vector<std::string> words_of(const std::vector<compile_step>& steps,
                                                const std::vector<std::string>& link, const std::string& output);

/// The directory that has to be named by -I so that this header is found: gcc does not record which were. Sought are
/// the directories of the headers that the debug information names, those above them, and all below the first step's
/// directory and the one above that.
/// @return empty when there is none
[[nodiscard]] std::string directory_of_header(const std::string& header, debug_file& debug,
                                              const std::vector<compile_step>& steps);

/// The command that prints a depfile of the step's source.
[[nodiscard]] std::vector<std::string> depfile_words(const compile_step& of);

/// For a person: the command without what only makes it long.
[[nodiscard]] std::string short_command(const std::vector<compile_step>& steps);

}  // namespace autoreload::building
