// SPDX-License-Identifier: MIT
// absent: whose API struct a table is, so that the use of an optional symbol that isn't there can name the library.
#pragma once

#include <memory>
#include <string>

#include <autoreload/engine.hpp>

namespace autoreload {

/// Remembers a loaded library's table for as long as it is loaded.
/// @param path  the library as the user named it
/// @return the same module
[[nodiscard]] std::unique_ptr<detail::erased_module> remember_table(std::unique_ptr<detail::erased_module> module,
                                                                    const detail::loader& api, const std::string& path);

}  // namespace autoreload
