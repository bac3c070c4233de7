// SPDX-License-Identifier: MIT
// stayer: asks the kernel for a thread's name and stack pointer, and reads its stack as one reads a stranger's: by a
// system call, which fails where a pointer would crash.
#include "reload/handover/stayer.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "crash/source_place.hpp"
#include "system/unique_fd.hpp"

namespace autoreload {
namespace {

// What /proc has in a thread's file; empty if there is none.
std::string read_of_thread(pid_t thread, const char* file) {
  const std::string name = "/proc/self/task/" + std::to_string(thread) + "/" + file;
  const unique_fd open_file(open(name.c_str(), O_RDONLY | O_CLOEXEC));
  std::array<char, 256> text;
  const ssize_t got = open_file ? read(open_file.get(), text.data(), text.size()) : -1;
  return {text.data(), got > 0 ? static_cast<std::size_t>(got) : 0};
}

// The stack pointer and the instruction: the last two words, in hexadecimal. Of a thread that runs there are none.
struct position {
  std::uintptr_t stack = 0;
  std::uintptr_t instruction = 0;
};
position position_of(pid_t thread) {
  std::string text = read_of_thread(thread, "syscall");
  position here;
  for (std::uintptr_t* const into : {&here.instruction, &here.stack}) {
    while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
    const std::size_t at = text.rfind("0x");
    if (at == std::string::npos) return {};
    std::from_chars(text.data() + at + 2, text.data() + text.size(), *into, 16);
    text.resize(at);
  }
  return here;
}

bool is_code_of(const generation& one, std::uintptr_t address) {
  for (const load_segment& segment : one.facts.segments) {
    const std::uintptr_t at = address - one.base - segment.address;
    if ((segment.flags & PF_X) != 0 && at < segment.memory_size) return true;
  }
  return false;
}

std::string name_of_function(const generation& one, std::uintptr_t address) {
  if (!one.image.memory.still_ours()) return {};
  const off_t size = lseek(one.image.memory.get(), 0, SEEK_END);
  if (size <= 0) return {};
  const auto length = static_cast<std::size_t>(size);
  void* const bytes = mmap(nullptr, length, PROT_READ, MAP_PRIVATE, one.image.memory.get(), 0);
  if (bytes == MAP_FAILED) return {};
  std::string name(find_function({static_cast<const std::byte*>(bytes), length}, address - one.base).name);
  munmap(bytes, length);
  return name;
}

}  // namespace

std::string words_of_thread(pid_t thread) {
  std::string name = read_of_thread(thread, "comm");
  while (!name.empty() && name.back() == '\n') name.pop_back();
  return "thread " + std::to_string(thread) + (name.empty() ? "" : " (\"" + name + "\")");
}

std::string function_inside(pid_t thread, const generation& one) {
  const position here = position_of(thread);
  if (here.stack == 0) return {};
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
