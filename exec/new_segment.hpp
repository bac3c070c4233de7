// SPDX-License-Identifier: MIT
// new_segment: bytes that are added to a library's file, at addresses behind all that it has.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "elf/names.hpp"

namespace autoreload::exec {

[[nodiscard]] inline std::uint64_t rounded(std::uint64_t value, std::uint64_t to) { return (value + to - 1) / to * to; }

template <class T>
[[nodiscard]] std::string raw_all(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

/// A segment that the loader will map.
struct new_segment {
  std::uint64_t address = 0;  ///< of the first byte
  std::uint32_t flags = 0;    ///< PF_R, PF_W, PF_X
  std::string bytes{};

  /// @return the address of what was added
  std::uint64_t add(const std::string& what, std::uint64_t alignment = 16) {
    bytes.resize(rounded(bytes.size(), alignment));
    const std::uint64_t at = address + bytes.size();
    bytes += what;
    return at;
  }
  /// Writes over what was added at an address.
  void put(std::uint64_t at, const std::string& what) { bytes.replace(at - address, what.size(), what); }
};

/// Where something is, in memory and in the file.
struct section_place {
  std::uint64_t address;
  std::uint64_t offset;
  std::uint64_t size;
};

/// Lets the section header of the dynamic section, if there is one, lead to another place: debuggers find out by it
/// where the library is. @param size  of the file that the section headers are in
inline void move_dynamic_section(std::vector<std::byte>& file, std::uint64_t size, const section_place& to) {
  Elf64_Ehdr header;
  std::memcpy(&header, file.data(), sizeof header);
  if (header.e_shentsize != sizeof(Elf64_Shdr)) return;
  for (std::uint64_t i = 0; i < header.e_shnum; ++i) {
    const std::uint64_t at = header.e_shoff + i * sizeof(Elf64_Shdr);
    if (header.e_shoff > size || at + sizeof(Elf64_Shdr) > size) return;
    Elf64_Shdr section;
    std::memcpy(&section, file.data() + at, sizeof section);
    if (section.sh_type != SHT_DYNAMIC) continue;
    section.sh_addr = to.address;
    section.sh_offset = to.offset;
    section.sh_size = to.size;
    std::memcpy(file.data() + at, &section, sizeof section);
  }
}

}  // namespace autoreload::exec
