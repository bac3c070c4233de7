// SPDX-License-Identifier: MIT
// memory: process_vm_readv of the own process; where a sandbox forbids that, /proc/self/mem.
#include "memory.hpp"

#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <new>

#include "system/unique_fd.hpp"

namespace autoreload::command {

namespace {

void* at(std::uint64_t address) {
  return reinterpret_cast<void*>(static_cast<std::uintptr_t>(address));  // NOLINT(performance-no-int-to-ptr)
}

// How many bytes were read; fewer when the rest can't be.
std::size_t read_some(std::uint64_t address, std::span<std::byte> into) {
  const iovec to{into.data(), into.size()};
  const iovec from{at(address), into.size()};
  const ssize_t got = process_vm_readv(getpid(), &to, 1, &from, 1, 0);
  if (got >= 0) return static_cast<std::size_t>(got);
  if (errno != ENOSYS && errno != EPERM) return 0;
  const unique_fd file(open("/proc/self/mem", O_RDONLY | O_CLOEXEC));
  const ssize_t read = file ? pread(file.get(), into.data(), into.size(), static_cast<off_t>(address)) : -1;
  return read < 0 ? 0 : static_cast<std::size_t>(read);
}

}  // namespace

std::optional<std::vector<std::byte>> read_memory(std::uint64_t address, std::size_t size) {
  std::vector<std::byte> bytes(size);
  std::size_t done = 0;
  while (done < size) {
    const std::size_t got = read_some(address + done, std::span(bytes).subspan(done));
    if (got == 0) return std::nullopt;
    done += got;
  }
  return bytes;
}

bool write_memory(std::uint64_t address, std::span<const std::byte> bytes) {
  const iovec from{const_cast<std::byte*>(bytes.data()), bytes.size()};
  const iovec to{at(address), bytes.size()};
  const ssize_t put = process_vm_writev(getpid(), &from, 1, &to, 1, 0);
  if (put >= 0 || (errno != ENOSYS && errno != EPERM)) return put == static_cast<ssize_t>(bytes.size());
  // A pipe takes the bytes and gives them to the address: read() says EFAULT where a copy would crash.
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return false;
  const unique_fd out(ends[0]);
  const unique_fd in(ends[1]);
  constexpr std::size_t step = 4096;
  for (std::size_t done = 0; done < bytes.size(); done += step) {
    const std::size_t part = std::min(step, bytes.size() - done);
    if (write(in.get(), bytes.data() + done, part) != static_cast<ssize_t>(part)) return false;
    if (read(out.get(), at(address + done), part) != static_cast<ssize_t>(part)) return false;
  }
  return true;
}

std::optional<read_string> read_text(std::uint64_t address, std::size_t most) {
  read_string made;
  while (made.bytes.size() < most) {
    // Never over a page's end in one step: the next one may not be there, and is not needed if the string ends here.
    const std::uint64_t from = address + made.bytes.size();
    const std::size_t part = std::min<std::size_t>(4096 - from % 4096, most - made.bytes.size());
    const std::optional<std::vector<std::byte>> bytes = read_memory(from, part);
    if (!bytes) return std::nullopt;
    const auto end = std::ranges::find(*bytes, std::byte{0});
    made.bytes.append(reinterpret_cast<const char*>(bytes->data()), static_cast<std::size_t>(end - bytes->begin()));
    if (end != bytes->end()) return made;
  }
  made.cut = true;
  return made;
}

std::uint64_t arena::make(std::size_t size, std::size_t alignment) {
  alignment = std::bit_ceil(std::clamp<std::size_t>(alignment, 16, 4096));
  const std::size_t room = (std::max<std::size_t>(size, 1) + alignment - 1) / alignment * alignment;
  void* const block = std::aligned_alloc(alignment, room);
  if (block == nullptr) throw std::bad_alloc();
  std::memset(block, 0, room);
  blocks_.emplace_back(block);
  return reinterpret_cast<std::uintptr_t>(block);
}

}  // namespace autoreload::command
