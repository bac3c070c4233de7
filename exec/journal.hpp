// SPDX-License-Identifier: MIT
// journal: where the agent says what happens: standard error or a file, never the program's output.
#pragma once

#include <string>

namespace autoreload::exec {

/// Chooses the file, which is made if it isn't there; empty: standard error. To be called once, before say().
void open_journal(const std::string& file);

/// Writes `autoreload: `, the text and a newline at once. Any thread, whatever table of descriptors it has. What can't
/// be written is dropped.
void say(const std::string& text);

}  // namespace autoreload::exec
