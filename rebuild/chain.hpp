// SPDX-License-Identifier: MIT
// chain: the commands that the build tool would run if one source changed, learned from the tool beforehand.
//
// Starting the tool may take longer than the compiler. The tool's own database knows each command, so when nothing else
// changed these commands can be run without it. What the tool then finds is up to date, or it runs the same again.
#pragma once

#include <sys/stat.h>

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "rebuild/build_tool.hpp"

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

/// The chain with tcc in the compiler's place, or nothing when tcc can't stand in. Its library is made beside the real
/// one and renamed over it; its object is none that the tool knows.
[[nodiscard]] std::optional<chain> with_tcc(const chain& learned, const std::string& library);

/// The words of a command as a shell would split it; nothing when it does more than name words (`|`, `$`, `;` …).
[[nodiscard]] std::optional<std::vector<std::string>> shell_words(std::string_view line);

}  // namespace autoreload::building
