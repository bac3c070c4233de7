// SPDX-License-Identifier: MIT
// opened_file: which file a name leads to that a program gives to dlopen.
#pragma once

#include <string>

namespace autoreload::exec {

/// The real path of the library that dlopen would open; empty when it can't be told ahead, or the loader has it
/// already. A name without a slash is looked for where LD_LIBRARY_PATH and the loader's cache say, unless the caller's
/// own run path could lead elsewhere. @param caller  an address in who calls. Any thread.
[[nodiscard]] std::string file_of(const std::string& name, const void* caller);

/// Whether an address lies in the agent itself.
[[nodiscard]] bool is_own_code(const void* address);

}  // namespace autoreload::exec
