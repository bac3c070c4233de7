// SPDX-License-Identifier: MIT
// complete: brings what the loader doesn't map into the copy, once nobody waits for it.
#include <elf.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>

#include "reload/snapshot/direct_copy.hpp"
#include "reload/snapshot/snapshot.hpp"
#include "system/file_limit.hpp"

namespace autoreload {
namespace {

// The next part of what is missing. @return whether it arrived
bool copy_some(snapshot& image, std::uint64_t most) {
  const quiet_file_limit quiet;
  while (!image.later.empty() && most != 0) {
    file_range& range = image.later.front();
    const file_range part{range.begin, range.begin + std::min(most, range.end - range.begin)};
    if (copy_range(image.origin.get(), image.memory.get(), part) != 0) return false;
    most -= part.end - part.begin;
    range.begin = part.end;
    if (range.begin == range.end) image.later.erase(image.later.begin());
  }
  return true;
}

// All of it arrived. The sections are shown if the file is still the one that was loaded.
void show_sections(const snapshot& image) {
  const quiet_file_limit quiet;
  Elf64_Ehdr original;
  Elf64_Ehdr header;  // where the program headers are may have been changed
  struct stat now {};
  if (pread(image.origin.get(), &original, sizeof original, 0) != sizeof original ||
      pread(image.memory.get(), &header, sizeof header, 0) != sizeof header || fstat(image.origin.get(), &now) != 0 ||
      !(file_identity::of(now) == image.source)) {
    return;
  }
  header.e_shoff = original.e_shoff;
  header.e_shnum = original.e_shnum;
  header.e_shstrndx = original.e_shstrndx;
  (void)!pwrite(image.memory.get(), &header, sizeof header, 0);
}

}  // namespace

bool complete_some(snapshot& image, std::uint64_t most) {
  const bool ours = image.memory.still_ours();  // another's file must not be written to
  if (ours && image.origin.still_ours() && !image.later.empty() && copy_some(image, most)) {
    if (!image.later.empty()) return false;
    show_sections(image);
  }
  image.later.clear();
  image.origin = unique_fd();
  if (ours && image.cut_to != 0) (void)!ftruncate(image.memory.get(), static_cast<off_t>(image.cut_to));
  image.cut_to = 0;
  if (ours) fcntl(image.memory.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
  return true;
}

void complete(snapshot& image) { (void)complete_some(image, UINT64_MAX); }

}  // namespace autoreload
