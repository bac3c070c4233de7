// SPDX-License-Identifier: MIT
// process_memory: reads this process's memory at addresses that may be nonsense.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <unordered_map>

#include "system/unique_fd.hpp"

namespace autoreload::state {

/// Reads through the kernel, page by page, each once: a pointer that leads nowhere is told and crashes nobody, also
/// when another thread unmaps what it led to. What is read is a copy of the moment of the first look.
class process_memory {
 public:
  /// @return false when not all of it can be read
  [[nodiscard]] bool read(std::uint64_t address, std::span<std::byte> into);
  /// Writes through the kernel, too. @return false when it is not there, or read-only; then nothing is changed
  [[nodiscard]] static bool write(std::uint64_t address, std::span<const std::byte> from) noexcept;
  /// A word of memory and what is to be there.
  struct new_word {
    std::uint64_t address;
    std::uint64_t value;
  };
  /// Writes many words by few system calls. One that is not there, or read-only, is left out.
  static void write(std::span<const new_word> words) noexcept;
  /// As it is now. @return false when not all of it can be read
  [[nodiscard]] static bool read_now(std::uint64_t address, std::span<std::byte> into) noexcept;
  /// Whether the kernel lets this process read itself at all: a sandbox may not.
  [[nodiscard]] bool works();

 private:
  static constexpr std::size_t page = 4096;
  using bytes = std::unique_ptr<std::byte[]>;

  const std::byte* find(std::uint64_t number);

  std::unordered_map<std::uint64_t, bytes> pages_;  // null: not readable
  std::uint64_t last_ = ~std::uint64_t{0};
  const std::byte* last_bytes_ = nullptr;
};

}  // namespace autoreload::state
