// SPDX-License-Identifier: MIT
// program_file: the program that shall run, and whether it can run with stand-ins.
#pragma once

#include <string>
#include <vector>

#include <autoreload/error.hpp>

namespace autoreload::exec {

struct program_file {
  std::string path;                    ///< the ELF file: a script's interpreter
  std::vector<std::string> words;      ///< its arguments, the zeroth first
  std::vector<std::string> functions;  ///< that it exports itself
};

/// Finds a program as execvp does, and what runs it if it is a script.
/// @param words  the program and its arguments
/// @return an error of stage use, with what to do about it: for set-user-ID, static, 32-bit and musl programs, for
///         scripts of shells, and for what isn't there
[[nodiscard]] result<program_file> find_program(const std::vector<std::string>& words);

/// A library that the program starts with.
struct needed_library {
  std::string name;  ///< in DT_NEEDED
  std::string path;  ///< absolute, as the loader finds it
};

/// What the loader would map for it, which it is asked itself (LD_TRACE_LOADED_OBJECTS): the program does not run.
[[nodiscard]] result<std::vector<needed_library>> libraries_of(const program_file& program);

}  // namespace autoreload::exec
