// SPDX-License-Identifier: MIT
// loader_cache: reads /etc/ld.so.cache, by which the directories of /etc/ld.so.conf come in.
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "reload/dependencies/search_path.hpp"

namespace autoreload {
namespace {

// glibc's sysdeps/generic/dl-cache.h.
struct cache_header {
  std::array<char, 20> magic;
  std::uint32_t entries;
  std::uint32_t strings_size;
  std::array<std::uint32_t, 5> others;
};
struct cache_entry {
  std::int32_t flags;
  std::uint32_t name;
  std::uint32_t path;
  std::uint32_t version;
  std::uint64_t capabilities;  // of processors; 0: any
};
static_assert(sizeof(cache_header) == 48 && sizeof(cache_entry) == 24);

#if defined(__x86_64__)
constexpr std::int32_t our_flags = 0x0303;  // a library for glibc, x86-64
#else
constexpr std::int32_t our_flags = 0x0a03;  // aarch64
#endif

std::string_view text_at(std::string_view file, std::size_t at) {
  if (at >= file.size()) return {};
  const std::size_t end = file.find('\0', at);
  return end == std::string_view::npos ? std::string_view() : file.substr(at, end - at);
}

}  // namespace

std::string loader_cache::find(const std::string& name) const {
  constexpr std::string_view magic = "glibc-ld.so.cache1.1";
  const std::span<const std::byte> bytes = file_.bytes();
  std::string_view file(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const std::size_t start = file.find(magic);  // an older format may come before it
  if (start == std::string_view::npos) return {};
  file.remove_prefix(start);
  cache_header header;
  if (file.size() < sizeof header) return {};
  std::memcpy(&header, file.data(), sizeof header);
  if ((file.size() - sizeof header) / sizeof(cache_entry) < header.entries) return {};
  const std::string_view whole(name.c_str(), name.size() + 1);
  for (std::size_t i = 0; i < header.entries; ++i) {
    cache_entry one;
    std::memcpy(&one, file.data() + sizeof header + i * sizeof one, sizeof one);
    if (one.flags != our_flags || one.capabilities != 0 || one.name >= file.size()) continue;
    if (file.substr(one.name, whole.size()) == whole) return std::string(text_at(file, one.path));
  }
  return {};
}

}  // namespace autoreload
