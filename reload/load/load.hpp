// SPDX-License-Identifier: MIT
// load: brings a snapshot into the process through the backend.
#pragma once

#include <memory>
#include <string>

#include <autoreload/engine.hpp>

#include "reload/inspect/inspect.hpp"
#include "reload/snapshot/snapshot.hpp"

namespace autoreload {

/// dlopen and dlsym by way of the backend: all required symbols, or an error that names every missing one and the
/// exported name that is nearest to it.
/// @param bytes  the inspected file
[[nodiscard]] result<std::unique_ptr<detail::erased_module>> load(const detail::loader& api, const std::string& path,
                                                                  snapshot& image, std::span<const std::byte> bytes,
                                                                  int flags);

}  // namespace autoreload
