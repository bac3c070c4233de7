// SPDX-License-Identifier: MIT
// memory: this process's memory, read and written by the kernel, so that a bad address is an answer and not a crash.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace autoreload::command {

/// All of the bytes, or nothing when some can't be read.
[[nodiscard]] std::optional<std::vector<std::byte>> read_memory(std::uint64_t address, std::size_t size);
/// @return whether all was written; what can't be written stays as it was, up to a part of a page before it
[[nodiscard]] bool write_memory(std::uint64_t address, std::span<const std::byte> bytes);
/// The bytes up to a zero byte, which is left out.
/// @param most  bytes; a longer string is cut there
/// @return nothing when it can't be read up to its end
struct read_string {
  std::string bytes;
  bool cut = false;
};
[[nodiscard]] std::optional<read_string> read_text(std::uint64_t address, std::size_t most);

/// New objects, zeroed, which stay for as long as the arena. Thread-safety: one thread at a time.
class arena {
 public:
  /// @param alignment  bytes, a power of two
  [[nodiscard]] std::uint64_t make(std::size_t size, std::size_t alignment = 16);

 private:
  struct release {
    void operator()(void* memory) const { std::free(memory); }
  };
  std::vector<std::unique_ptr<void, release>> blocks_;
};

}  // namespace autoreload::command
