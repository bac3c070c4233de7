// SPDX-License-Identifier: MIT
// check_report: what `check` found, as a value.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace autoreload::command {

struct finding {
  std::string text;
  std::string advice;  ///< or empty
};

struct check_report {
  std::string path;
  std::optional<finding> refused;                            ///< why the engine or the loader would not have it
  std::vector<std::string> hazards;                          ///< loadable, but hard to reload; each names what mends it
  std::vector<std::string> notes;                            ///< what could not be seen
  std::vector<std::pair<std::string, std::string>> exports;  ///< name and prototype, which is empty when not known
  std::string against;                                       ///< the older build or host, or empty
  bool is_host = false;
  std::vector<std::string> differences;  ///< can break a caller
  std::vector<std::string> harmless;     ///< can't
};

/// For a person; colours as standard output takes them.
[[nodiscard]] std::string to_text(const check_report& report);
[[nodiscard]] std::string to_json(const check_report& report);

}  // namespace autoreload::command
