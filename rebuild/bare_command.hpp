// SPDX-License-Identifier: MIT
// bare_command: the words of a command as build tools write it, for a shell, and back.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace autoreload::building {

/// The words of a command as a shell would split it; nothing when it does more than name words (`|`, `$`, `;` …).
[[nodiscard]] std::optional<std::vector<std::string>> shell_words(std::string_view line);

/// One word for a shell, whatever is in it.
[[nodiscard]] std::string quoted(const std::string& word);
/// Words as one line for a shell.
[[nodiscard]] std::string line_of(const std::vector<std::string>& words);

/// A command without what tools put around it: `cd X && `, `: && … && :`, ccache.
struct bare_command {
  std::string enter;  ///< `cd DIRECTORY && `, or nothing
  std::vector<std::string> words;

  /// The word behind an option (`-o`), or nothing.
  [[nodiscard]] std::string value_after(std::string_view option) const;
  /// For a shell.
  [[nodiscard]] std::string line() const;
};

/// @return nothing when the line does more than run one command
[[nodiscard]] std::optional<bare_command> bare(std::string line);

}  // namespace autoreload::building
