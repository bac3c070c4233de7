// SPDX-License-Identifier: MIT
// snapshot_id: which of a library's snapshots a description was read from.
#pragma once

#include <sys/stat.h>

namespace autoreload::types {

/// Two snapshots are one when they are one file: a running generation's descriptor keeps its inode from being reused.
struct snapshot_id {
  dev_t device = 0;
  ino_t inode = 0;
  off_t size = 0;
  bool operator==(const snapshot_id&) const = default;
};

/// @param file  a descriptor; of one that is not open the answer is no snapshot's
[[nodiscard]] inline snapshot_id id_of(int file) {
  struct stat status {};
  if (file < 0 || fstat(file, &status) != 0) return {};
  return {status.st_dev, status.st_ino, status.st_size};
}

}  // namespace autoreload::types
