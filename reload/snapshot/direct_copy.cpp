// SPDX-License-Identifier: MIT
// direct_copy: sendfile, and a mapping whose pages can be held as they are.
#include "reload/snapshot/direct_copy.hpp"

#include <sys/mman.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace autoreload {
namespace {

int copy_by_reading(int from, int to, file_range range) {
  std::vector<std::byte> chunk(std::min<std::uint64_t>(range.end - range.begin, std::uint64_t{256} * 1024));
  while (range.begin < range.end) {
    const auto want = static_cast<std::size_t>(std::min<std::uint64_t>(range.end - range.begin, chunk.size()));
    const ssize_t got = pread(from, chunk.data(), want, static_cast<off_t>(range.begin));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return got < 0 ? errno : ENODATA;
    const ssize_t put = pwrite(to, chunk.data(), static_cast<std::size_t>(got), static_cast<off_t>(range.begin));
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return put < 0 ? errno : ENOSPC;
    range.begin += static_cast<std::uint64_t>(put);
  }
  return 0;
}

}  // namespace

mapped_memory::~mapped_memory() {
  if (!bytes_.empty()) munmap(bytes_.data(), bytes_.size());
}

private_view::private_view(int file, std::size_t size) {
  void* const memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, file, 0);
  if (memory == MAP_FAILED) return;
  memory_ = mapped_memory({static_cast<std::byte*>(memory), size});
}

// A page of the process's own takes the place of the file's.
bool freeze(std::span<std::byte> view, std::uint64_t at, std::uint64_t size) noexcept {
  const auto page = static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
  const std::uint64_t end = std::min<std::uint64_t>(at + size, view.size());
  std::array<std::byte, 65536> shown;  // the largest page there is
  for (at &= ~(page - 1); at < end; at += page) {
    std::byte* const here = view.data() + at;
    const std::size_t some = std::min(page, view.size() - at);
    std::memcpy(shown.data(), here, some);
    if (mmap(here, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED) {
      return false;
    }
    std::memcpy(here, shown.data(), some);
  }
  return true;
}

int copy_range(int from, int to, file_range range) {
  if (lseek(to, static_cast<off_t>(range.begin), SEEK_SET) < 0) return errno;
  while (range.begin < range.end) {
    auto at = static_cast<off_t>(range.begin);
    const ssize_t moved = sendfile(to, from, &at, static_cast<std::size_t>(range.end - range.begin));
    if (moved < 0 && errno == EINTR) continue;
    if (moved < 0 && (errno == EINVAL || errno == ENOSYS)) return copy_by_reading(from, to, range);
    if (moved < 0) return errno;
    if (moved == 0) return ENODATA;
    range.begin += static_cast<std::uint64_t>(moved);
  }
  return 0;
}

}  // namespace autoreload
