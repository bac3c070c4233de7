// SPDX-License-Identifier: MIT
// stack_header: appends a program header table with PT_GNU_STACK to a copy, and lets the ELF header lead to it.
#include "reload/snapshot/stack_header.hpp"

#include <unistd.h>

#include <algorithm>
#include <vector>

#include "elf/view.hpp"
#include "system/file_limit.hpp"

namespace autoreload {
namespace {

template <class T>
std::string raw(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

}  // namespace

bool add_stack_header(snapshot& image, std::span<const std::byte> bytes) {
#ifndef __GLIBC__
  return true;  // musl leaves the stacks alone, and wants the table within a segment
#endif
  const elf_view file{bytes, {}, 0};
  std::vector<Elf64_Phdr> entries;
  for (Elf64_Phdr entry : file.program_headers()) {
    if (entry.p_type == PT_GNU_STACK) return true;
    // By this one, the loader finds the table in memory, where it is the old one. Without it, it keeps what it has
    // read.
    if (entry.p_type == PT_PHDR) entry.p_type = PT_NULL;
    entries.push_back(entry);
  }
  if (entries.empty()) return true;
  const Elf64_Ehdr header = (*file.table_in_file<Elf64_Ehdr>(0, 1))[0];
  Elf64_Phdr stack{};
  stack.p_type = PT_GNU_STACK;
  stack.p_flags = PF_R | PF_W;
  stack.p_align = 16;
  entries.push_back(stack);

  // Behind the last page that a segment's end is in: what stands there is cleared in memory.
  constexpr std::uint64_t largest_page = 65536;
  const Elf64_Off place = (image.size + largest_page - 1) & ~(largest_page - 1);
  const std::size_t size = entries.size() * sizeof(Elf64_Phdr);
  const auto count = static_cast<Elf64_Half>(entries.size());
  if (image.cut_to != 0) image.cut_to = std::max(image.cut_to, place + size);
  const quiet_file_limit quiet;
  return pwrite(image.memory.get(), entries.data(), size, static_cast<off_t>(place)) == static_cast<ssize_t>(size) &&
         image.patch(offsetof(Elf64_Ehdr, e_phoff), raw(header.e_phoff), raw(place)) &&
         image.patch(offsetof(Elf64_Ehdr, e_phnum), raw(header.e_phnum), raw(count));
}

}  // namespace autoreload
