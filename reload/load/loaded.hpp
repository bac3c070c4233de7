// SPDX-License-Identifier: MIT
// loaded: which names the dynamic loader knows.
#pragma once

#include <string>

namespace autoreload {

/// Whether a library of exactly this name is loaded. Opens nothing: dlopen with RTLD_NOLOAD would open a name that the
/// loader doesn't know, and a descriptor's number may lead to somebody's pipe by then.
[[nodiscard]] bool is_loaded(const std::string& name);

}  // namespace autoreload
