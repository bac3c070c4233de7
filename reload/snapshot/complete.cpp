// SPDX-License-Identifier: MIT
// complete: brings what the loader doesn't map into the copy, once nobody waits for it.
#include <elf.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "reload/snapshot/direct_copy.hpp"
#include "reload/snapshot/snapshot.hpp"
#include "system/file_limit.hpp"

namespace autoreload {
namespace {

// Whether all of it arrived and the file is still the one that was loaded.
bool copy_rest(const snapshot& image) {
  const quiet_file_limit quiet;
  for (const file_range& range : image.later) {
    if (copy_range(image.origin.get(), image.memory.get(), range) != 0) return false;
  }
  Elf64_Ehdr original;
  Elf64_Ehdr header;  // where the program headers are may have been changed
  struct stat now {};
  if (pread(image.origin.get(), &original, sizeof original, 0) != sizeof original ||
      pread(image.memory.get(), &header, sizeof header, 0) != sizeof header || fstat(image.origin.get(), &now) != 0 ||
      !(file_identity::of(now) == image.source)) {
    return false;
  }
  header.e_shoff = original.e_shoff;
  header.e_shnum = original.e_shnum;
  header.e_shstrndx = original.e_shstrndx;
  return pwrite(image.memory.get(), &header, sizeof header, 0) == sizeof header;
}

}  // namespace

void complete(snapshot& image) {
  const bool ours = image.memory.still_ours();  // another's file must not be written to
  if (ours && image.origin.still_ours() && !image.later.empty()) (void)copy_rest(image);
  image.later.clear();
  image.origin = unique_fd();
  if (ours) fcntl(image.memory.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
}

}  // namespace autoreload
