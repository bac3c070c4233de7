// SPDX-License-Identifier: MIT
// hash_tables: as glibc's loader and musl's read them.
#include "exec/hash_tables.hpp"

#include <algorithm>
#include <bit>
#include <string_view>

#include "elf/gnu_hash.hpp"

namespace autoreload::exec {
namespace {

template <class T>
void append(std::string& to, const T& value) {
  to.append(reinterpret_cast<const char*>(&value), sizeof value);
}

std::uint32_t old_hash(std::string_view name) {
  std::uint32_t hash = 0;
  for (const char letter : name) {
    hash = (hash << 4U) + static_cast<unsigned char>(letter);
    const std::uint32_t top = hash & 0xf0000000U;
    hash ^= top >> 24U;
    hash &= ~top;
  }
  return hash;
}

}  // namespace

std::uint32_t gnu_buckets(std::size_t symbols) { return static_cast<std::uint32_t>(symbols / 2 + 1); }

std::string gnu_hash_table(const std::vector<std::string>& names, std::uint32_t first) {
  const std::uint32_t buckets = gnu_buckets(names.size());
  constexpr std::uint32_t shift = 6;
  const auto words = static_cast<std::uint32_t>(std::bit_ceil(std::max<std::size_t>(names.size() / 4, 1)));
  std::vector<std::uint64_t> filter(words);
  std::vector<std::uint32_t> heads(buckets);
  std::vector<std::uint32_t> chain;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const std::uint32_t hash = gnu_hash(names[i].c_str());
    filter[hash / 64 % words] |= std::uint64_t{1} << hash % 64 | std::uint64_t{1} << (hash >> shift) % 64;
    if (heads[hash % buckets] == 0) heads[hash % buckets] = first + static_cast<std::uint32_t>(i);
    const bool is_last = i + 1 == names.size() || gnu_hash(names[i + 1].c_str()) % buckets != hash % buckets;
    chain.push_back((hash & ~1U) | (is_last ? 1U : 0U));
  }
  std::string made;
  for (const std::uint32_t word : {buckets, first, words, shift}) append(made, word);
  for (const std::uint64_t word : filter) append(made, word);
  for (const std::uint32_t head : heads) append(made, head);
  for (const std::uint32_t link : chain) append(made, link);
  return made;
}

std::string old_hash_table(const std::vector<std::string>& names, std::uint32_t first) {
  const auto buckets = static_cast<std::uint32_t>(names.size() / 2 + 1);
  const auto symbols = first + static_cast<std::uint32_t>(names.size());
  std::vector<std::uint32_t> heads(buckets);
  std::vector<std::uint32_t> links(symbols);
  for (std::uint32_t i = first; i < symbols; ++i) {
    std::uint32_t& head = heads[old_hash(names[i - first]) % buckets];
    links[i] = head;
    head = i;
  }
  std::string made;
  append(made, buckets);
  append(made, symbols);
  for (const std::uint32_t head : heads) append(made, head);
  for (const std::uint32_t link : links) append(made, link);
  return made;
}

}  // namespace autoreload::exec
