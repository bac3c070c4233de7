// SPDX-License-Identifier: MIT
// agent: what runs in the program: it watches the libraries whose stand-ins are there.
#pragma once

namespace autoreload::exec {

/// The file to open in place of `name`, for a dlopen that the program calls: a stand-in's, or `name`.
/// @param caller  the address that dlopen will return to
[[nodiscard]] const char* file_to_open(const char* name, int flags, const void* caller);

/// What dlsym shall answer for a name that the library's stand-in lacks; null: what it answers anyway.
[[nodiscard]] void* newer_function(void* handle, const char* name);

}  // namespace autoreload::exec
