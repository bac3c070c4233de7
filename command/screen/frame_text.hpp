// SPDX-License-Identifier: MIT
// frame_text: words of the screen.
#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace autoreload::command {

/// How long ago something was. Whole seconds at least, so that it doesn't flicker.
[[nodiscard]] std::string age_text(std::chrono::steady_clock::duration age);

/// The lines of a text.
[[nodiscard]] std::vector<std::string> split(const std::string& text);

/// The first line's text after `kind: `, which the screen says by its place and colour.
[[nodiscard]] std::string after_kind(const std::string& text);

}  // namespace autoreload::command
