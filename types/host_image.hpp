// SPDX-License-Identifier: MIT
// host_image: finds the file that a piece of the host's own running code was loaded from.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "system/unique_fd.hpp"

namespace autoreload::types {

/// An executable or shared object of this process.
struct host_image {
  std::string path;     ///< for a person, and for the directory beside which debug information may lie
  unique_fd file;       ///< opened for reading
  std::uintptr_t base;  ///< subtract it from an address to get the file's own

  /// Whether the code at an address came from this file too.
  [[nodiscard]] bool holds(std::uintptr_t code) const;
};

/// The image that holds `code`, if its file on disk is still the one that was loaded (a host may be rebuilt while it
/// runs). Thread-safety: any thread.
[[nodiscard]] std::optional<host_image> find_host_image(std::uintptr_t code);

}  // namespace autoreload::types
