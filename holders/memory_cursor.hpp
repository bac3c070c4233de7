// SPDX-License-Identifier: MIT
// memory_cursor: reads tables of the process's own memory through the kernel: one that is nonsense crashes nobody.
// Async-signal-safe.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>

#include "system/own_memory.hpp"

namespace autoreload::holding {

/// Reads onward from an address. After a failure all it reads is zero.
class memory_cursor {
 public:
  explicit memory_cursor(std::uintptr_t at) noexcept : at_(at) {}
  [[nodiscard]] std::uintptr_t at() const noexcept { return at_; }
  [[nodiscard]] bool good() const noexcept { return good_; }
  void skip(std::uint64_t bytes) noexcept { at_ += bytes; }

  template <class T>
  T get() noexcept {
    T value{};
    if (at_ < held_from_ || at_ + sizeof value > held_from_ + held_) {
      held_from_ = at_;
      held_ = good_ ? copy_memory(at_, piece_.data(), piece_.size()) : 0;
      if (held_ < sizeof value) {
        good_ = false;
        return value;
      }
    }
    std::memcpy(&value, piece_.data() + (at_ - held_from_), sizeof value);
    at_ += sizeof value;
    return value;
  }
  std::uint64_t uleb() noexcept {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const auto byte = get<std::uint8_t>();
      value |= std::uint64_t{byte & 0x7fU} << shift;
      if ((byte & 0x80U) == 0) break;
    }
    return value;
  }
  std::int64_t sleb() noexcept {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64;) {
      const auto byte = get<std::uint8_t>();
      value |= std::uint64_t{byte & 0x7fU} << shift;
      shift += 7;
      if ((byte & 0x80U) != 0) continue;
      if ((byte & 0x40U) != 0 && shift < 64) value |= ~std::uint64_t{0} << shift;
      break;
    }
    return static_cast<std::int64_t>(value);
  }
  /// A pointer in one of the encodings of .eh_frame, as far as x86-64's compilers use them.
  std::uint64_t encoded(std::uint8_t how) noexcept {
    const std::uintptr_t place = at_;
    std::uint64_t value = 0;
    switch (how & 0x0fU) {
      case 0x00:
      case 0x04:
      case 0x0c: value = get<std::uint64_t>(); break;
      case 0x01: value = uleb(); break;
      case 0x02: value = get<std::uint16_t>(); break;
      case 0x03: value = get<std::uint32_t>(); break;
      case 0x09: value = static_cast<std::uint64_t>(sleb()); break;
      case 0x0a: value = static_cast<std::uint64_t>(std::int64_t{get<std::int16_t>()}); break;
      case 0x0b: value = static_cast<std::uint64_t>(std::int64_t{get<std::int32_t>()}); break;
      default: good_ = false;
    }
    const unsigned base = how & 0x70U;
    if (base == 0x10 && value != 0) value += place;
    if (base > 0x10 && base != 0x50) good_ = false;
    return value;
  }

 private:
  std::uintptr_t at_;
  std::uintptr_t held_from_ = 1;
  std::size_t held_ = 0;
  bool good_ = true;
  std::array<std::byte, 256> piece_{};
};

[[nodiscard]] inline std::optional<std::uint64_t> word_at(std::uintptr_t address) noexcept {
  std::uint64_t word = 0;
  if (copy_memory(address, &word, sizeof word) != sizeof word) return std::nullopt;
  return word;
}

}  // namespace autoreload::holding
