// SPDX-License-Identifier: MIT
// stayer: asks the kernel for a thread's name and stack pointer, and reads its stack as one reads a stranger's: by a
// system call, which fails where a pointer would crash.
#include "reload/handover/stayer.hpp"

#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <string_view>

#include "crash/source_place.hpp"
#include "system/mapped_file.hpp"
#include "system/thread_files.hpp"

namespace autoreload {
namespace {

bool is_code_of(const generation& one, std::uintptr_t address) {
  for (const load_segment& segment : one.facts.segments) {
    const std::uintptr_t at = address - one.base - segment.address;
    if ((segment.flags & PF_X) != 0 && at < segment.memory_size) return true;
  }
  return false;
}

std::string name_of_function(const generation& one, std::uintptr_t address) {
  if (!one.image.memory.still_ours()) return {};
  const mapped_file file(one.image.memory.get());
  return std::string(find_function(file.bytes(), address - one.base).name);
}

}  // namespace

std::string function_inside(pid_t thread, const generation& one) {
  const std::optional<waiting_call> waits = call_in(read_of_thread(thread, "syscall"));
  if (!waits || waits->stack == 0) return {};
  const waiting_call& here = *waits;
  std::array<std::uintptr_t, 2048> words{};
  std::uintptr_t found = is_code_of(one, here.instruction) ? here.instruction : 0;
  // Page by page: the stack may end in between.
  constexpr std::uintptr_t page = 4096;
  std::size_t got = 0;
  while (found == 0 && got < sizeof words) {
    const std::uintptr_t from = here.stack + got;
    const iovec into{reinterpret_cast<std::byte*>(words.data()) + got,
                     std::min<std::size_t>(sizeof words - got, page - from % page)};
    const iovec there{reinterpret_cast<void*>(from), into.iov_len};
    if (process_vm_readv(getpid(), &into, 1, &there, 1, 0) != static_cast<ssize_t>(into.iov_len)) break;
    got += into.iov_len;
  }
  for (std::size_t i = 0; found == 0 && i < got / sizeof words[0]; ++i) {
    if (is_code_of(one, words[i] - 1)) found = words[i] - 1;  // a call may be its function's last instruction
  }
  const std::string name = found != 0 ? name_of_function(one, found) : std::string();
  return name.empty() ? name : ", in " + name + "()";
}

}  // namespace autoreload
