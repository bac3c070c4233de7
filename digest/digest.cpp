// SPDX-License-Identifier: MIT
// digest: makes and finds the line.
#include "digest/digest.hpp"

#include <array>
#include <cstring>
#include <string_view>

#include "reload/inspect/inspect.hpp"

namespace autoreload {
namespace {

constexpr std::string_view mark = "\nautoreload-digest crc64 ";
static_assert(mark.size() + 16 == digest_line_size);

// Entry [n][b]: the register after byte b and n zero bytes, so that eight bytes take eight independent look-ups
// (Kounavis and Berry, "Novel table lookup-based algorithms for high-performance CRC generation", 2008).
constexpr auto tables = [] {
  std::array<std::array<std::uint64_t, 256>, 8> made{};
  for (std::uint64_t byte = 0; byte != 256; ++byte) {
    std::uint64_t value = byte;
    for (int bit = 0; bit != 8; ++bit) value = (value >> 1) ^ ((value & 1) != 0 ? 0xc96c5795d7870f42 : 0);
    made[0][byte] = value;
  }
  for (std::size_t n = 1; n != 8; ++n) {
    for (std::size_t byte = 0; byte != 256; ++byte) {
      const std::uint64_t before = made[n - 1][byte];
      made[n][byte] = (before >> 8) ^ made[0][before & 0xff];
    }
  }
  return made;
}();

}  // namespace

std::uint64_t crc64(std::span<const std::byte> bytes, std::uint64_t so_far) noexcept {
  std::uint64_t state = ~so_far;
  while (bytes.size() >= 8) {
    std::uint64_t word;  // little-endian, as both machines are
    std::memcpy(&word, bytes.data(), 8);
    word ^= state;
    state = 0;
    for (std::size_t n = 0; n != 8; ++n) state ^= tables[7 - n][(word >> (8 * n)) & 0xff];
    bytes = bytes.subspan(8);
  }
  for (const std::byte byte : bytes) state = (state >> 8) ^ tables[0][(state ^ std::to_integer<unsigned>(byte)) & 0xff];
  return ~state;
}

std::string digest_line(std::span<const std::byte> file, std::span<const load_segment> loads) {
  std::uint64_t value = 0;
  for (const load_segment& load : loads) value = crc64(file.subspan(load.offset, load.file_size), value);
  std::string line(mark);
  for (int shift = 60; shift >= 0; shift -= 4) line += "0123456789abcdef"[(value >> shift) & 15];
  return line;
}

std::optional<std::string> digest_line_of(std::span<const std::byte> file) {
  if (file.size() < digest_line_size) return std::nullopt;
  const auto* const last = reinterpret_cast<const char*>(file.data() + file.size() - digest_line_size);
  if (std::memcmp(last, mark.data(), mark.size()) != 0) return std::nullopt;
  return std::string(last, digest_line_size);
}

}  // namespace autoreload
