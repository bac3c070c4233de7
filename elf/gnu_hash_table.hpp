// SPDX-License-Identifier: MIT
// gnu_hash_table: DT_GNU_HASH, by which a loader finds a name.
#pragma once

#include <cstdint>
#include <optional>

#include "elf/gnu_hash.hpp"
#include "elf/view.hpp"

namespace autoreload {

/// Four words, the Bloom filter, the first symbol of each bucket, and the hash of every symbol from the first hashed
/// one on, whose lowest bit ends a bucket. It refers to the file's bytes.
struct gnu_hash_table {
  std::uint32_t first_symbol = 0;
  std::uint32_t shift = 0;
  table<std::uint64_t> bloom;
  table<std::uint32_t> buckets;
  std::uint64_t chains = 0;  ///< address

  /// @return nothing when a part of it is in no segment
  [[nodiscard]] static std::optional<gnu_hash_table> read(const elf_view& lib, std::uint64_t address) {
    const auto words = lib.table_at<std::uint32_t>(address, 4);
    if (!words) return std::nullopt;
    gnu_hash_table hash;
    hash.first_symbol = (*words)[1];
    hash.shift = (*words)[3];
    const std::uint64_t buckets_at = address + 16 + std::uint64_t{(*words)[2]} * sizeof(std::uint64_t);
    hash.chains = buckets_at + std::uint64_t{(*words)[0]} * sizeof(std::uint32_t);
    const auto bloom = lib.table_at<std::uint64_t>(address + 16, (*words)[2]);
    const auto buckets = lib.table_at<std::uint32_t>(buckets_at, (*words)[0]);
    if (!bloom || !buckets) return std::nullopt;
    hash.bloom = *bloom;
    hash.buckets = *buckets;
    return hash;
  }

  /// By the filter alone. @param hash  gnu_hash() of a name. @return false: no symbol has that name
  /// The filter's number of words is a power of two, which inspect() has proved.
  [[nodiscard]] bool may_have(std::uint32_t hash) const noexcept {
    const std::uint64_t bits = std::uint64_t{1} << (hash % 64) | std::uint64_t{1} << ((hash >> shift) % 64);
    return (bloom[(hash / 64) & (bloom.size() - 1)] & bits) == bits;
  }
};

}  // namespace autoreload
