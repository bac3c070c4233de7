// SPDX-License-Identifier: MIT
// helper_place: where the helper program is, also after the directory that it was installed into has moved.
#pragma once

#include <string>

namespace autoreload::types {

/// The helper beside the shared library that this code is in, or else where the build system said, or else where it
/// lies from a public header, or else where it was installed.
[[nodiscard]] std::string helper_place(const char* said_by_build, const char* header);

}  // namespace autoreload::types
