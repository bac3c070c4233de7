// SPDX-License-Identifier: MIT
// files: paths, and what is at them.
#pragma once

#include <optional>
#include <string>

namespace autoreload::exec {

/// What stands behind the last slash.
[[nodiscard]] std::string base_of(const std::string& path);

/// The path without links, or as it is where there is nothing.
[[nodiscard]] std::string real_path(const std::string& path);

/// A file's bytes; nothing when it can't be opened.
[[nodiscard]] std::optional<std::string> read_file(const std::string& path);

}  // namespace autoreload::exec
