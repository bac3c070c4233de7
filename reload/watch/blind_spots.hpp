// SPDX-License-Identifier: MIT
// blind_spots: where inotify does not see what happens to a file.
#pragma once

#include <optional>
#include <string>

namespace autoreload {

/// Whether others may change what is on this file system without our kernel knowing, or where it tells no one. Nothing
/// when there is no such path.
[[nodiscard]] std::optional<bool> hides_changes(const std::string& path);

/// Whether a single file is mounted at this name (bind mounts, as containers have them). What is written then is told
/// to the directory of the file that was mounted, and not to the directory of the name. A kernel before 5.8 doesn't
/// say.
[[nodiscard]] bool may_be_mounted(const std::string& file);

/// Whether the file's system is one whose changes inotify doesn't see (network and FUSE file systems). Follows the
/// nearest directory that exists.
[[nodiscard]] bool needs_polling(const std::string& path);

}  // namespace autoreload
