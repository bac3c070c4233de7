// SPDX-License-Identifier: MIT
// take_again: makes another copy of a build that ran before, as its file was.
#include <elf.h>
#include <unistd.h>

#include "reload/snapshot/snapshot.hpp"
#include "system/file_limit.hpp"

namespace autoreload {

snapshot_outcome snapshotter::take_again(const snapshot& kept) {
  snapshot_outcome outcome;
  outcome.no = {setback_kind::shortage, error(stage::snapshot, kept.path, "its kept copy can't be read")};
  drop();
  tidy();
  const quiet_file_limit quiet;
  Elf64_Ehdr header;
  if (!kept.memory.still_ours() || pread(kept.memory.get(), &header, sizeof header, 0) != sizeof header) return outcome;
  const bool has_sections = header.e_shoff != 0;  // else complete() has never run, or came too late
  if (auto no = begin_copy(kept.path, kept.size)) {
    outcome.no = std::move(no);
    return outcome;
  }
  const int copy = room_->file.file.get();
  const auto put = [&](const void* bytes, std::size_t size, std::uint64_t at) {
    return pwrite(copy, bytes, size, static_cast<off_t>(at)) == static_cast<ssize_t>(size);
  };
  if (room_->fill(kept.memory.get(), {0, kept.size}) != 0) return outcome;
  for (const snapshot::change& one : kept.changes) {
    if (one.offset + one.original.size() > kept.size) continue;
    if (!put(one.original.data(), one.original.size(), one.offset)) return outcome;
  }
  if (!has_sections) {
    if (pread(copy, &header, sizeof header, 0) != sizeof header) return outcome;
    header.e_shoff = 0;
    header.e_shnum = header.e_shstrndx = 0;
    if (!put(&header, sizeof header, 0)) return outcome;
  }
  bytes_ = room_->bytes();
  if (bytes_.empty()) return outcome;
  copied_ = {{0, kept.size}};
  outcome.no.reset();
  outcome.bytes = bytes_;
  outcome.image.source = kept.source;
  outcome.image.size = kept.size;
  outcome.image.path = kept.path;
  return outcome;
}

}  // namespace autoreload
