// SPDX-License-Identifier: MIT
// elf_view: bounds-checked reading of an ELF file's bytes, by file offset or by the address that the loader will map.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>

#include "elf/load_segment.hpp"
#include "elf/names.hpp"

namespace autoreload {

/// Records of type T that lie one after the other in a file. Copies them out: a file's bytes have no alignment.
template <class T>
class table {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  table() = default;
  table(const std::byte* first, std::size_t count) noexcept : first_(first), count_(count) {}

  [[nodiscard]] std::size_t size() const noexcept { return count_; }
  [[nodiscard]] bool empty() const noexcept { return count_ == 0; }
  /// @param index  less than size(); the caller has checked
  [[nodiscard]] T operator[](std::size_t index) const noexcept {
    T record;
    std::memcpy(&record, first_ + index * sizeof(T), sizeof(T));
    return record;
  }

  class iterator {
   public:
    using value_type = T;
    using difference_type = std::ptrdiff_t;
    using reference = T;
    using pointer = void;
    using iterator_category = std::input_iterator_tag;

    explicit iterator(const std::byte* at) noexcept : at_(at) {}
    T operator*() const noexcept { return table(at_, 1)[0]; }
    iterator& operator++() noexcept {
      at_ += sizeof(T);
      return *this;
    }
    bool operator==(const iterator&) const = default;

   private:
    const std::byte* at_;
  };
  [[nodiscard]] iterator begin() const noexcept { return iterator(first_); }
  [[nodiscard]] iterator end() const noexcept { return iterator(first_ + count_ * sizeof(T)); }

 private:
  const std::byte* first_ = nullptr;
  std::size_t count_ = 0;
};

/// A string table: every string in it ends inside it, which its maker has checked.
class string_table {
 public:
  string_table() = default;
  explicit string_table(std::span<const std::byte> bytes) noexcept : bytes_(bytes) {}

  [[nodiscard]] std::size_t size() const noexcept { return bytes_.size(); }
  /// Where the string at `offset` starts, or null when that is outside. It ends with a zero byte.
  [[nodiscard]] const char* at(std::uint64_t offset) const noexcept {
    return offset < bytes_.size() ? reinterpret_cast<const char*>(bytes_.data() + offset) : nullptr;
  }
  [[nodiscard]] const char* end() const noexcept {
    return reinterpret_cast<const char*>(bytes_.data() + bytes_.size());
  }

 private:
  std::span<const std::byte> bytes_;
};

[[nodiscard]] inline bool all_zero(std::span<const std::byte> bytes) noexcept {
  // Comparing the bytes with themselves, one further on, runs at memcmp's speed.
  return bytes.empty() ||
         (bytes[0] == std::byte{0} && std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

/// Whether the segment's memory holds all of [address, address + size).
[[nodiscard]] inline bool holds(const load_segment& load, std::uint64_t address, std::uint64_t size) noexcept {
  return address >= load.address && size <= load.memory_size && address - load.address <= load.memory_size - size;
}

/// The file as the loader will see it. Addresses are relative to the load base, as they stand in the file.
struct elf_view {
  std::span<const std::byte> file;
  std::span<const load_segment> loads;  ///< each lies within the file, in order of address, none overlaps another
  std::uint64_t headers = 0;            ///< bytes at the file's start that hold the headers

  [[nodiscard]] bool has(std::uint64_t offset, std::uint64_t size) const noexcept {
    return size <= file.size() && offset <= file.size() - size;
  }

  /// The segment whose memory holds all of [address, address + size), or null.
  [[nodiscard]] const load_segment* holding(std::uint64_t address, std::uint64_t size) const noexcept {
    for (const load_segment& load : loads) {
      if (holds(load, address, size)) return &load;
    }
    return nullptr;
  }

  /// The file's bytes that the loader maps at [address, address + size), or null when some of them are not in the file.
  [[nodiscard]] const std::byte* bytes(std::uint64_t address, std::uint64_t size) const noexcept {
    return bytes_in(holding(address, size), address, size);
  }

  /// The same, when the segment is known. @param load  holds all of [address, address + size), or is null
  [[nodiscard]] const std::byte* bytes_in(const load_segment* load, std::uint64_t address,
                                          std::uint64_t size) const noexcept {
    if (load == nullptr) return nullptr;
    const std::uint64_t into = address - load->address;
    if (size > load->file_size || into > load->file_size - size) return nullptr;
    return file.data() + load->offset + into;
  }

  [[nodiscard]] std::optional<std::span<const std::byte>> span_at(std::uint64_t address,
                                                                  std::uint64_t size) const noexcept {
    const std::byte* const first = bytes(address, size);
    if (first == nullptr) return std::nullopt;
    return std::span(first, static_cast<std::size_t>(size));
  }

  /// `count` records at `address`, or nothing when they are not all in the file. No records are anywhere: a table that
  /// a library lacks has the address 0, which is outside of one that begins elsewhere.
  template <class T>
  [[nodiscard]] std::optional<table<T>> table_at(std::uint64_t address, std::uint64_t count) const noexcept {
    if (count == 0) return table<T>();
    if (count > file.size() / sizeof(T)) return std::nullopt;
    const std::byte* const first = bytes(address, count * sizeof(T));
    if (first == nullptr) return std::nullopt;
    return table<T>(first, static_cast<std::size_t>(count));
  }

  template <class T>
  [[nodiscard]] std::optional<T> record_at(std::uint64_t address) const noexcept {
    const std::byte* const first = bytes(address, sizeof(T));
    if (first == nullptr) return std::nullopt;
    return table<T>(first, 1)[0];
  }

  /// As table_at, by offset in the file.
  template <class T>
  [[nodiscard]] std::optional<table<T>> table_in_file(std::uint64_t offset, std::uint64_t count) const noexcept {
    if (count > file.size() / sizeof(T) || !has(offset, count * sizeof(T))) return std::nullopt;
    return table<T>(file.data() + offset, static_cast<std::size_t>(count));
  }

  /// The program headers; none when the file is no ELF file of 64 bits, or they are not all in it.
  [[nodiscard]] table<Elf64_Phdr> program_headers() const noexcept {
    const auto header = table_in_file<Elf64_Ehdr>(0, 1);
    if (!header || std::memcmp((*header)[0].e_ident, ELFMAG, SELFMAG) != 0 ||
        (*header)[0].e_ident[EI_CLASS] != ELFCLASS64 || (*header)[0].e_phentsize != sizeof(Elf64_Phdr)) {
      return {};
    }
    return table_in_file<Elf64_Phdr>((*header)[0].e_phoff, (*header)[0].e_phnum).value_or(table<Elf64_Phdr>());
  }

  /// The address is of a byte of an executable segment that is in the file and is not a header.
  [[nodiscard]] bool in_code(std::uint64_t address) const noexcept { return is_code_of(holding(address, 1), address); }

  /// The same, when the segment is known. @param load  holds the address, or is null
  [[nodiscard]] bool is_code_of(const load_segment* load, std::uint64_t address) const noexcept {
    if (load == nullptr || (load->flags & PF_X) == 0) return false;
    const std::uint64_t into = address - load->address;
    return into < load->file_size && load->offset + into >= headers;
  }

  /// The address is of a header: no pointer leads there, but to the very first byte some may.
  [[nodiscard]] bool in_headers(std::uint64_t address) const noexcept {
    const load_segment& first = loads.front();
    return address > first.address && address - first.address < headers && first.offset == 0;
  }
};

/// [start, start + size) of the addresses.
struct address_window {
  std::uint64_t start = 0, size = 0;

  /// Whether it has all of [address, address + bytes). @param bytes  not 0
  [[nodiscard]] bool has(std::uint64_t address, std::uint64_t bytes) const noexcept {
    return bytes <= size && address - start <= size - bytes;
  }
};

/// The same questions, for who asks of many addresses that mostly lie in one segment: that one is looked at first.
/// Not thread-safe.
class segment_memory {
 public:
  /// @param file  must outlive it
  explicit segment_memory(const elf_view& file) noexcept : file_(file) {}

  [[nodiscard]] const load_segment* holding(std::uint64_t address, std::uint64_t size) noexcept {
    // Between two segments that touch, no bytes are in both: the first has them, whatever the last one was.
    if (last_ != nullptr && size != 0 && holds(*last_, address, size)) return last_;
    return look_for(address, size);
  }
  [[nodiscard]] const std::byte* bytes(std::uint64_t address, std::uint64_t size) noexcept {
    if (size != 0 && in_file_.has(address, size)) [[likely]]
      return first_ + (address - in_file_.start);
    return file_.bytes_in(look_for(address, size), address, size);
  }
  [[nodiscard]] bool in_code(std::uint64_t address) noexcept {
    if (code_.has(address, 1)) [[likely]]
      return true;
    return file_.is_code_of(look_for(address, 1), address);
  }
  /// Addresses whose bytes are in the file, and of these the ones of code, around those that were asked of last.
  [[nodiscard]] const address_window& in_file() const noexcept { return in_file_; }
  [[nodiscard]] const address_window& code() const noexcept { return code_; }
  template <class T>
  [[nodiscard]] std::optional<T> record_at(std::uint64_t address) noexcept {
    const std::byte* const first = bytes(address, sizeof(T));
    if (first == nullptr) return std::nullopt;
    return table<T>(first, 1)[0];
  }

 private:
  [[gnu::noinline]] const load_segment* look_for(std::uint64_t address, std::uint64_t size) noexcept {
    const load_segment* const found = file_.holding(address, size);
    if (found != nullptr && found != last_) remember(*found);
    return found;
  }
  void remember(const load_segment& load) noexcept {
    last_ = &load;
    in_file_ = {load.address, load.file_size};
    first_ = file_.file.data() + load.offset;
    const std::uint64_t before = file_.headers > load.offset ? file_.headers - load.offset : 0;
    const bool runs = (load.flags & PF_X) != 0 && before < load.file_size;
    code_ = runs ? address_window{load.address + before, load.file_size - before} : address_window{};
  }

  const elf_view& file_;
  const load_segment* last_ = nullptr;
  address_window in_file_, code_;  // of the last one
  const std::byte* first_ = nullptr;
};

}  // namespace autoreload
