// SPDX-License-Identifier: MIT
// plain_pointers: the short way through the relative relocations, of which a large library has 100,000; private to
// reload/inspect/.
#pragma once

#include <algorithm>

#include "reload/inspect/written.hpp"

namespace autoreload::inspecting {

/// The relative relocations as nearly all of them are: pointers to data, in data that nothing else is known of. For
/// them all rules of relocation_checker come to a few comparisons.
class plain_pointers {
 public:
  explicit plain_pointers(const written_words& words)
      : words_(words),
        lib_(words.lib()),
        info_(ELF64_R_INFO(0, lib_.machine == elf_machine::x86_64 ? R_X86_64_RELATIVE : R_AARCH64_RELATIVE)) {}

  /// False says nothing: then the rules are asked one by one.
  [[nodiscard]] bool takes(const Elf64_Rela& relocation) noexcept {
    const auto to = static_cast<std::uint64_t>(relocation.r_addend);
    if (relocation.r_info != info_) return false;
    if (relocation.r_offset - from_.start >= from_.size && !find_words(relocation.r_offset)) return false;
    return to - to_.start < to_.size || find_data(to);
  }

 private:
  struct part {
    std::uint64_t start, size;
  };

  // Where whole words may be written, around an address: a writable segment, as far as nothing special lies in it.
  [[nodiscard]] bool find_words(std::uint64_t address) noexcept {
    const load_segment* const load = lib_.holding(address, 8);
    if (load == nullptr || (load->flags & PF_W) == 0) return false;
    std::uint64_t start = load->address, end = load->address + load->memory_size;
    for (const auto& [first, size] : words_.special()) {
      if (size == 0) continue;
      if (address + 8 > first && address < first + size) return false;
      if (first + size <= address) start = std::max(start, first + size);
      if (first >= address + 8) end = std::min(end, first);
    }
    from_ = {start, end - start - 7};  // the last place where a word fits begins before its end
    return true;
  }

  // A segment without code, and without the headers and the library's first byte.
  [[nodiscard]] bool find_data(std::uint64_t address) noexcept {
    const load_segment* const load = lib_.holding(address, 1);
    if (load == nullptr || (load->flags & PF_X) != 0) return false;
    const std::uint64_t skipped = load == &lib_.loads.front() ? std::max<std::uint64_t>(lib_.headers, 1) : 0;
    if (address - load->address < skipped) return false;
    to_ = {load->address + skipped, load->memory_size - skipped};
    return address != 0;
  }

  const written_words& words_;
  const image& lib_;
  const std::uint64_t info_;
  part from_{0, 0}, to_{0, 0};
};

}  // namespace autoreload::inspecting
