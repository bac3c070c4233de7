// SPDX-License-Identifier: MIT
// text_file: a file's text, and a text's lines.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace autoreload::building {

/// All of a file. Empty when it can't be read.
[[nodiscard]] std::string read_text(const std::filesystem::path& path);

/// The lines that are not empty, without their newlines.
[[nodiscard]] std::vector<std::string> lines_of(const std::string& text);

}  // namespace autoreload::building
