// SPDX-License-Identifier: MIT
// image: a library's file as the loader begins with it: initial values, what relocations put into them, sections.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "elf/load_segment.hpp"
#include "elf/view.hpp"
#include "system/mapped_file.hpp"

namespace autoreload::state {

/// What a relocated word of the file leads to.
struct reference {
  std::string symbol{};       ///< of another library; empty: an address of this one
  std::uint64_t address = 0;  ///< as the file has it; of another library: the offset from the symbol
  bool operator==(const reference&) const = default;
};

/// A mapped snapshot. Addresses are as the file has them. Bytes may be anything.
///
/// Thread-safety: immutable once made.
class image {
 public:
  /// @param file  a complete snapshot that nobody changes; borrowed for the call
  /// @return nothing when it is no ELF file that the loader would take
  [[nodiscard]] static std::unique_ptr<image> open(int file);
  image(const image&) = delete;
  image& operator=(const image&) = delete;
  ~image() = default;

  /// The value that memory starts with, before relocation. @return false when it is not all of this library
  [[nodiscard]] bool initial(std::uint64_t address, std::span<std::byte> into) const;
  /// All of it starts as zero and is not in the file, as uninitialised variables are.
  [[nodiscard]] bool starts_empty(std::uint64_t address, std::uint64_t size) const;
  /// The relocation of the word at the address.
  [[nodiscard]] const reference* relocation(std::uint64_t address) const;
  /// Every relocated word, in no order.
  template <class Visit>
  void each_relocation(Visit visit) const {
    for (const auto& [address, to] : relocations_) visit(address, to);
  }
  /// Memory that the library may write to at any time.
  [[nodiscard]] bool is_writable(std::uint64_t address, std::uint64_t size) const;
  [[nodiscard]] bool holds(std::uint64_t address, std::uint64_t size) const;
  /// Bytes that never change, from the address on to their segment's end; empty for all others.
  [[nodiscard]] std::span<const std::byte> constants(std::uint64_t address) const;
  /// Every run of such bytes.
  [[nodiscard]] std::vector<std::pair<std::uint64_t, std::span<const std::byte>>> all_constants() const;
  /// The name of the section at the address, or an empty one.
  [[nodiscard]] std::string_view section(std::uint64_t address) const;
  /// The first and last address that the library has in memory.
  [[nodiscard]] std::pair<std::uint64_t, std::uint64_t> extent() const;

 private:
  explicit image(int file) : file_(file) {}
  void read_relocations();
  void read_relative(std::uint64_t address, std::uint64_t size);
  void note_word(std::uint64_t address);

  const mapped_file file_;
  std::span<const std::byte> bytes_;
  std::vector<load_segment> loads_;
  elf_view view_;
  std::uint64_t relro_ = 0;
  std::uint64_t relro_size_ = 0;
  std::unordered_map<std::uint64_t, reference> relocations_;
};

}  // namespace autoreload::state
