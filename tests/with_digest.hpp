// SPDX-License-Identifier: MIT
// with_digest: a library's bytes as autoreload-digest leaves them. For tests that see reload/.
#pragma once

#include <span>
#include <string>

#include "digest/digest.hpp"
#include "reload/inspect/inspect.hpp"

namespace support {

inline autoreload::inspection inspected(const std::string& bytes) {
  return autoreload::inspect(std::as_bytes(std::span(bytes)));
}

inline std::string with_digest(std::string bytes) {
  return bytes += autoreload::digest_line(std::as_bytes(std::span(bytes)), inspected(bytes).facts.segments);
}

}  // namespace support
