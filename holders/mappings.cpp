// SPDX-License-Identifier: MIT
// mappings: reads /proc/self/maps and /proc/self/pagemap.
#include "holders/mappings.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <string_view>

namespace autoreload::holding {
namespace {

std::string read_all(const char* path) {
  const unique_fd file(open(path, O_RDONLY | O_CLOEXEC));
  std::string text;
  std::array<char, 16384> piece;
  for (ssize_t got = 0; file && (got = read(file.get(), piece.data(), piece.size())) > 0;) {
    text.append(piece.data(), static_cast<std::size_t>(got));
  }
  return text;
}

// `BEGIN-END rwxp OFFSET DEVICE INODE   NAME`
std::optional<mapping> mapping_of(std::string_view line) {
  mapping one;
  const char* const last = line.data() + line.size();
  const auto begin = std::from_chars(line.data(), last, one.where.begin, 16);
  if (begin.ptr == last || *begin.ptr != '-') return std::nullopt;
  const auto end = std::from_chars(begin.ptr + 1, last, one.where.end, 16);
  std::string_view rest(end.ptr, static_cast<std::size_t>(last - end.ptr));
  if (rest.size() < 6) return std::nullopt;
  one.readable = rest[1] == 'r';
  one.writable = rest[2] == 'w';
  one.shared = rest[4] == 's';
  for (int field = 0; field < 4; ++field) {
    rest.remove_prefix(std::min(rest.size(), rest.find_first_not_of(' ')));
    rest.remove_prefix(std::min(rest.size(), rest.find(' ')));
  }
  rest.remove_prefix(std::min(rest.size(), rest.find_first_not_of(' ')));
  one.name = rest;
  return one;
}

}  // namespace

std::vector<mapping> read_mappings(const target& but) {
  const std::string text = read_all("/proc/self/maps");
  std::vector<mapping> all;
  all.reserve(static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')));  // no copies are left behind
  for (std::string_view rest = text; !rest.empty();) {
    const std::size_t end = std::min(rest.find('\n'), rest.size() - 1);
    auto one = mapping_of(rest.substr(0, end));
    if (one && one->where.begin - (but.base + but.low) >= but.span) all.push_back(*std::move(one));
    rest.remove_prefix(end + 1);
  }
  return all;
}

const mapping* find_mapping(const std::vector<mapping>& all, std::uintptr_t address) noexcept {
  const auto next = std::upper_bound(all.begin(), all.end(), address,
                                     [](std::uintptr_t at, const mapping& one) { return at < one.where.begin; });
  if (next == all.begin() || std::prev(next)->where.end <= address) return nullptr;
  return &*std::prev(next);
}

std::size_t page_size() noexcept {
  static const long size = sysconf(_SC_PAGESIZE);
  return size > 0 ? static_cast<std::size_t>(size) : 4096;
}

page_map::page_map() : file_(open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC)) {}

std::size_t page_map::read_flags(std::uintptr_t from, std::span<std::uint64_t> into) const noexcept {
  if (!file_) return 0;
  const auto offset = static_cast<off_t>(from / page_size() * sizeof(std::uint64_t));
  const ssize_t got = pread(file_.get(), into.data(), into.size_bytes(), offset);
  return got > 0 ? static_cast<std::size_t>(got) / sizeof(std::uint64_t) : 0;
}

}  // namespace autoreload::holding
