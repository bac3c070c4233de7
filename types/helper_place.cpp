// SPDX-License-Identifier: MIT
// helper_place: looks from where the library itself is first, because all else may name another installed copy.
#include "types/helper_place.hpp"

#include <unistd.h>

#include <string_view>

#include "types/host_image.hpp"

namespace autoreload::types {

namespace {

// Where it lies from the shared library that this code is in. Of a static build nothing is known: it is in the host.
std::string from_the_library() {
  const auto here = find_host_image(reinterpret_cast<std::uintptr_t>(&from_the_library));
  if (!here || !here->path.starts_with('/')) return {};
  return here->path.substr(0, here->path.rfind('/') + 1) + AUTORELOAD_HELPER_FROM_LIBRARY;
}

}  // namespace

std::string helper_place(const char* said_by_build, const char* header) {
  const std::string_view path(header);
  const std::string beside_header(path.substr(0, path.rfind('/') + 1));  // nothing: in the current directory
  for (const std::string& place : {from_the_library(), std::string(said_by_build),
                                   beside_header.empty() ? "" : beside_header + AUTORELOAD_HELPER_FROM_HEADER}) {
    if (!place.empty() && access(place.c_str(), X_OK) == 0) return place;
  }
  return AUTORELOAD_INSTALLED_HELPER;
}

}  // namespace autoreload::types
