// SPDX-License-Identifier: MIT
// chain: the commands that the build tool would run if one source changed, learned from the tool beforehand.
//
// Starting the tool may take longer than the compiler. The tool's own database knows each command, so when nothing else
// changed these commands can be run without it. What the tool then finds is up to date, or it runs the same again.
#pragma once

#include <sys/stat.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "rebuild/bare_command.hpp"
#include "rebuild/build_tool.hpp"
#include "rebuild/link_stub.hpp"

namespace autoreload::building {

/// Shell commands, in their order: the last one links the library.
struct chain {
  std::vector<std::string> lines;
  std::vector<std::pair<std::string, struct stat>> learned_from;  ///< the tool's files; another file, another chain
};

/// Asks the tool. @return nothing when it does not say exactly, as for a header that ninja only knows by depfile
/// @param library  absolute
[[nodiscard]] std::optional<chain> learn_chain(tool_finder& ask, const build_tool& tool, const std::string& source,
                                               const std::string& library);

/// Whether the files that it was learned from are the same as then.
[[nodiscard]] bool holds(const chain& learned);

/// What runs the chain: a shell in the tool's directory, which ends at the first command that fails.
[[nodiscard]] command run_of(const chain& learned, const build_tool& tool);

/// A chain of two commands: one compiles one source, the other links the library of its object and others.
struct compile_and_link {
  bare_command compile, link;
  std::string source;
  std::string object;  ///< as both commands name it
};
[[nodiscard]] std::optional<compile_and_link> read_two(const chain& learned);

/// The chain with tcc in the compiler's place, or nothing when tcc can't stand in. Its library is made beside the real
/// one and renamed over it; its object is none that the tool knows.
[[nodiscard]] std::optional<chain> with_tcc(const chain& learned, const std::string& library);

/// Makes the stubs' files, in a directory beside the library.
/// @param learned  its linker's driver makes them @return their paths; nothing when one could not be made
[[nodiscard]] std::optional<std::vector<std::string>> make_stubs(tool_finder& ask, const std::vector<link_stub>& stubs,
                                                                 const chain& learned, const std::string& library);

/// The chain with the same compilation, and a link by the linker alone against stubs of what the library needed when
/// the tool linked it. Its object and library lie beside the stubs; the library is renamed into place.
/// @param library  absolute
/// @param stubs    by make_stubs()
/// @return nothing when the driver does not say how it links
[[nodiscard]] std::optional<chain> with_linker_alone(tool_finder& ask, const build_tool& tool, const chain& learned,
                                                     const std::string& library, const std::vector<std::string>& stubs);

}  // namespace autoreload::building
