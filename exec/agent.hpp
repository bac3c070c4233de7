// SPDX-License-Identifier: MIT
// agent: what runs in the program: it watches the libraries whose stand-ins are there.
#pragma once

#include "exec/loaded_standin.hpp"

namespace autoreload::exec {

/// The file to open in place of `name`, for a dlopen that the program calls: a stand-in's, or `name`.
/// @param caller  the address that dlopen will return to
[[nodiscard]] const char* file_to_open(const char* name, int flags, const void* caller);

/// What dlsym shall answer for a name that the library's stand-in lacks; null: what it answers anyway.
[[nodiscard]] void* newer_function(void* handle, const char* name);

/// Says which function is gone, and ends the program.
[[noreturn]] void end_for_missing(const standin_header* library, std::uint32_t slot);

}  // namespace autoreload::exec
