// SPDX-License-Identifier: MIT
// packaged: tells the system's libraries from the user's.
#pragma once

#include <string>
#include <string_view>

namespace autoreload {

/// Whether a path lies below a directory that belongs to the system's packages, by its text alone. `/usr/local` is the
/// user's.
[[nodiscard]] bool in_system_directory(std::string_view path);

/// Whether the packages of the system look after a file: it lies below one of their directories, it is root's, and
/// nobody else may write to it. They replace files, and never write into one. Links are followed: a link in `/usr/lib`
/// to a build directory leads to a file of the user's.
/// @param path  absolute; false for what isn't there
/// Thread-safety: any thread.
[[nodiscard]] bool is_packaged(const std::string& path);

}  // namespace autoreload
