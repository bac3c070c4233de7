// SPDX-License-Identifier: MIT
// symbol_filter: the Bloom filter of DT_GNU_HASH, which tells most names that a library does not define.
// (Its layout: "ELF: symbol hash sections", binutils' mailing list, 2006.)
#pragma once

#include "elf/dynamic_section.hpp"
#include "elf/gnu_hash.hpp"

namespace autoreload {

/// Of a library that inspect() called sound. It refers to the file's bytes. Any thread.
class symbol_filter {
 public:
  explicit symbol_filter(const elf_view& file) {
    for (const Elf64_Dyn entry : dynamic_section_of(file).entries) {
      if (entry.d_tag != DT_GNU_HASH) continue;
      const auto header = file.table_at<std::uint32_t>(entry.d_un.d_ptr, 4);
      if (!header) return;
      shift_ = (*header)[3];
      words_ = file.table_at<std::uint64_t>(entry.d_un.d_ptr + 16, (*header)[2]).value_or(table<std::uint64_t>());
    }
  }
  /// @return false: it does not define the name. True: it may; a library without the filter may define any
  [[nodiscard]] bool may_have(const char* name) const noexcept {
    if (words_.empty()) return true;
    const std::uint32_t hash = gnu_hash(name);
    const std::uint64_t bits = std::uint64_t{1} << (hash % 64) | std::uint64_t{1} << ((hash >> shift_) % 64);
    return (words_[hash / 64 % words_.size()] & bits) == bits;
  }

 private:
  table<std::uint64_t> words_;
  std::uint32_t shift_ = 0;
};

}  // namespace autoreload
