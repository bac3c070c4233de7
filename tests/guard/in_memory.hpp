// SPDX-License-Identifier: MIT
// in_memory: bytes as a file without a directory, as the engine's snapshot is.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <string_view>

#include "system/unique_fd.hpp"

namespace autoreload_test {

inline autoreload::unique_fd in_memory(std::string_view bytes) {
  autoreload::unique_fd file(memfd_create("snapshot", MFD_CLOEXEC));
  if (write(file.get(), bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) return {};
  return file;
}

}  // namespace autoreload_test
