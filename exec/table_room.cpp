// SPDX-License-Identifier: MIT
// table_room: the last segment gets more memory than it has in the file, as for variables that begin as zeros.
#include "exec/table_room.hpp"

#include <algorithm>
#include <cstring>
#include <string>

#include "exec/new_segment.hpp"

namespace autoreload::exec {
namespace {

constexpr std::uint64_t page = 4096;
constexpr std::uint64_t cache_line = 64;

std::string raw(const Elf64_Phdr& part) { return {reinterpret_cast<const char*>(&part), sizeof part}; }

}  // namespace

std::optional<table_room> room_for_table(std::span<const std::byte> build, std::uint64_t size) {
  Elf64_Ehdr header;
  std::memcpy(&header, build.data(), sizeof header);
  Elf64_Phdr last{};
  std::uint64_t last_at = 0;
  std::uint64_t frozen_end = 0;
  for (std::uint64_t i = 0; i < header.e_phnum; ++i) {
    const std::uint64_t at = header.e_phoff + i * sizeof(Elf64_Phdr);
    if (at + sizeof(Elf64_Phdr) > build.size()) return std::nullopt;
    Elf64_Phdr part;
    std::memcpy(&part, build.data() + at, sizeof part);
    if (part.p_type == PT_GNU_RELRO) frozen_end = rounded(part.p_vaddr + part.p_memsz, page);
    if (part.p_type != PT_LOAD || part.p_vaddr < last.p_vaddr) continue;
    last = part;
    last_at = at;
  }
  if ((last.p_flags & PF_W) == 0 || header.e_phentsize != sizeof(Elf64_Phdr)) return std::nullopt;
  // The loader takes whole pages from whoever writes to what it froze.
  const std::uint64_t end = last.p_vaddr + last.p_memsz;
  table_room made;
  made.address = rounded(std::max(end, frozen_end), cache_line);
  Elf64_Phdr grown = last;
  grown.p_memsz = made.address + size - last.p_vaddr;
  made.edit = {last_at, raw(last), raw(grown)};
  return made;
}

}  // namespace autoreload::exec
