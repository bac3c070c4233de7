// SPDX-License-Identifier: MIT
// copy_room: fallocate(2), and a shared mapping whose pages are there.
#include "reload/snapshot/copy_room.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "system/file_limit.hpp"

namespace autoreload {
namespace {

constexpr std::uint64_t page = 4096;

std::uint64_t whole_pages(std::uint64_t size) { return (size + page - 1) & ~(page - 1); }

// A forked child must have no part in it: its mapping would keep the file from being sealed.
mapped_memory map_shared(int file, std::uint64_t size) {
  void* const at = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, file, 0);
  if (at == MAP_FAILED) return {};
  mapped_memory made({static_cast<std::byte*>(at), size});
  if (madvise(at, size, MADV_DONTFORK) != 0) return {};
  madvise(at, size, MADV_DONTDUMP);
  return made;
}

// Maps the pages of [begin, end), which the file has. Where the kernel can't (before 5.14), each costs a fault later.
void touch(std::span<std::byte> memory, std::uint64_t begin, std::uint64_t end) {
#ifndef MADV_POPULATE_WRITE
  constexpr int MADV_POPULATE_WRITE = 23;
#endif
  begin &= ~(page - 1);
  madvise(memory.data() + begin, std::min<std::uint64_t>(end, memory.size()) - begin, MADV_POPULATE_WRITE);
}

}  // namespace

// The next build may be somewhat larger. The file is as long as the mapping until the copy is made: whoever reads the
// process's memory through the kernel finds no end in the middle of it.
void copy_room::map(std::uint64_t size) {
  shared_ = map_shared(file.file.get(), whole_pages(size + size / 4));
  if (!shared_.bytes().empty() && !lengthen(shared_.bytes().size())) shared_ = {};
}

bool copy_room::lengthen(std::uint64_t size) {
  if (file.size >= size) return true;
  const quiet_file_limit quiet;
  if (ftruncate(file.file.get(), static_cast<off_t>(size)) != 0) return false;
  file.size = size;
  return true;
}

bool copy_room::grow(std::uint64_t size, std::uint64_t most) {
  if (got_ >= size) return true;
  const std::uint64_t part = std::min(most, size - got_);
  if (fallocate(file.file.get(), 0, static_cast<off_t>(got_), static_cast<off_t>(part)) != 0) return true;
  file.size = std::max(file.size, got_ + part);
  if (shared_.bytes().empty()) map(size);
  if (!shared_.bytes().empty()) touch(shared_.bytes(), got_, got_ + part);
  got_ += part;
  return got_ >= size;
}

bool copy_room::fit(std::uint64_t size) {
  size_ = size;
  return lengthen(size);
}

bool copy_room::holds(std::uint64_t size) const { return !shared_.bytes().empty() && shared_.bytes().size() >= size; }

int copy_room::fill(int from, file_range range) {
  const std::span<std::byte> to = holds(size_) ? shared_.bytes() : std::span<std::byte>();
  while (!to.empty() && range.begin < range.end) {
    const auto want = static_cast<std::size_t>(range.end - range.begin);
    const ssize_t got = pread(from, to.data() + range.begin, want, static_cast<off_t>(range.begin));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;  // copy_range() finds out why, or can do it: for want of memory for a page, say
    range.begin += static_cast<std::uint64_t>(got);
  }
  if (range.begin == range.end) return 0;
  const quiet_file_limit quiet;
  return copy_range(from, file.file.get(), range);
}

std::span<std::byte> copy_room::bytes() {
  const auto size = static_cast<std::size_t>(size_);
  if (holds(size)) return shared_.bytes().first(size);
  if (view_.bytes().empty()) view_ = private_view(file.file.get(), size);
  return view_.bytes();
}

}  // namespace autoreload
