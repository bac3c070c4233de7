// SPDX-License-Identifier: MIT
// damage: whole libraries, where their headers and tables are, and ways to damage them that a seed can repeat.
#pragma once

#include <elf.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

namespace mutate {

using bytes = std::vector<std::byte>;

class dice {  // splitmix64
 public:
  explicit dice(std::uint64_t seed) : state_(seed) {}
  std::uint64_t roll() {
    state_ += 0x9e3779b97f4a7c15;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  std::size_t below(std::size_t limit) { return limit == 0 ? 0 : static_cast<std::size_t>(roll() % limit); }

 private:
  std::uint64_t state_;
};

struct field {
  std::size_t offset;
  std::size_t size;
};

template <class T>
T record(const bytes& file, std::size_t offset) {
  T value;
  std::memcpy(&value, file.data() + offset, sizeof value);
  return value;
}

// A library that is whole, and where its headers and tables are.
struct subject {
  std::string name;
  bytes content;
  std::vector<field> headers;  // fields of the ELF, program and section headers and of the dynamic section
  std::vector<field> tables;   // words of the symbols, hashes, versions, relocations and function arrays
};

inline void add_words(std::vector<field>& to, std::size_t offset, std::size_t size, std::size_t word) {
  for (std::size_t at = 0; at + word <= size; at += word) to.push_back({offset + at, word});
}

inline subject study(std::string name, bytes content) {
  subject made{std::move(name), std::move(content), {}, {}};
  const auto header = record<Elf64_Ehdr>(made.content, 0);
  for (const std::size_t at : {4u, 5u, 6u, 7u, 8u}) made.headers.push_back({at, 1});
  add_words(made.headers, 16, 4, 2);
  add_words(made.headers, 20, 4, 4);
  add_words(made.headers, 24, 24, 8);
  add_words(made.headers, 48, 4, 4);
  add_words(made.headers, 52, 12, 2);
  for (std::size_t i = 0; i != header.e_phnum; ++i) {
    const std::size_t at = header.e_phoff + i * sizeof(Elf64_Phdr);
    add_words(made.headers, at, 8, 4);
    add_words(made.headers, at + 8, sizeof(Elf64_Phdr) - 8, 8);
    const auto segment = record<Elf64_Phdr>(made.content, at);
    if (segment.p_type == PT_DYNAMIC) add_words(made.headers, segment.p_offset, segment.p_filesz, 8);
  }
  for (std::size_t i = 0; i != header.e_shnum; ++i) {
    const std::size_t at = header.e_shoff + i * sizeof(Elf64_Shdr);
    add_words(made.headers, at, 8, 4);
    add_words(made.headers, at + 8, 32, 8);
    add_words(made.headers, at + 40, 8, 4);
    add_words(made.headers, at + 48, 16, 8);
    const auto section = record<Elf64_Shdr>(made.content, at);
    if ((section.sh_flags & SHF_ALLOC) == 0) continue;
    switch (section.sh_type) {
      case SHT_DYNSYM:
        for (std::size_t s = 0; s + 24 <= section.sh_size; s += 24) {
          const std::size_t symbol_at = section.sh_offset + s;
          made.tables.insert(made.tables.end(), {{symbol_at, 4},
                                                 {symbol_at + 4, 1},
                                                 {symbol_at + 5, 1},
                                                 {symbol_at + 6, 2},
                                                 {symbol_at + 8, 8},
                                                 {symbol_at + 16, 8}});
        }
        break;
      case SHT_RELA:
      case SHT_RELR:
      case SHT_INIT_ARRAY:
      case SHT_FINI_ARRAY: add_words(made.tables, section.sh_offset, section.sh_size, 8); break;
      case SHT_HASH:
      case SHT_GNU_HASH:
      case SHT_GNU_verneed:
      case SHT_GNU_verdef: add_words(made.tables, section.sh_offset, section.sh_size, 4); break;
      case SHT_GNU_versym: add_words(made.tables, section.sh_offset, section.sh_size, 2); break;
      default: break;
    }
  }
  return made;
}

// What `strip --strip-section-headers` and packers leave: the file ends with the last segment.
inline subject without_sections(const subject& whole) {
  subject made = whole;
  made.name += ", no sections";
  auto header = record<Elf64_Ehdr>(made.content, 0);
  std::uint64_t end = 0;
  for (std::size_t i = 0; i != header.e_phnum; ++i) {
    const auto segment = record<Elf64_Phdr>(made.content, header.e_phoff + i * sizeof(Elf64_Phdr));
    if (segment.p_type == PT_LOAD) end = std::max(end, segment.p_offset + segment.p_filesz);
  }
  header.e_shoff = 0;
  header.e_shnum = header.e_shstrndx = 0;
  std::memcpy(made.content.data(), &header, sizeof header);
  made.content.resize(end);
  const auto gone = [&](const field& f) { return f.offset + f.size > end; };
  std::erase_if(made.headers, gone);
  std::erase_if(made.tables, gone);
  return made;
}

enum class damage : std::uint8_t { truncated, bit_flipped, headers_rewritten, tables_rewritten, range_zeroed };
inline constexpr std::array<const char*, 5> damage_names{"truncated", "bit flipped", "header fields rewritten",
                                                         "table words rewritten", "range zeroed"};

// A field gets what bugs and half-done writes put there: nothing, everything, a neighbour's value, nearly the right
// one.
inline std::uint64_t bad_value(dice& with, std::uint64_t was, std::uint64_t other) {
  switch (with.below(10)) {
    case 0: return 0;
    case 1: return ~std::uint64_t{0};
    case 2: return was + 1;
    case 3: return was - 1;
    case 4: return was ^ (std::uint64_t{1} << with.below(64));
    case 5: return was + 8;
    case 6: return was + 0x1000;
    case 7: return other;
    case 8: return with.roll();
    default: return with.below(256);
  }
}

inline std::string rewrite(bytes& content, const std::vector<field>& fields, dice& with) {
  std::string what;
  for (std::size_t times = 1 + with.below(2); times != 0; --times) {
    const field& f = fields[with.below(fields.size())];
    const field& from = fields[with.below(fields.size())];
    std::uint64_t was = 0, other = 0;
    std::memcpy(&was, content.data() + f.offset, f.size);
    std::memcpy(&other, content.data() + from.offset, from.size);
    const std::uint64_t value = bad_value(with, was, other);
    std::memcpy(content.data() + f.offset, &value, f.size);
    what += "-at-" + std::to_string(f.offset);
  }
  return what;
}

// Damages a copy, and says how: "-at-1234" and the like.
inline std::string apply(damage kind, const subject& whole, dice& with, bytes& content) {
  content = whole.content;
  switch (kind) {
    case damage::truncated: content.resize(with.below(content.size())); return "-to-" + std::to_string(content.size());
    case damage::bit_flipped: {
      const std::size_t at = with.below(content.size());
      content[at] ^= std::byte{1} << with.below(8);
      return "-at-" + std::to_string(at);
    }
    case damage::headers_rewritten: return rewrite(content, whole.headers, with);
    case damage::tables_rewritten: return rewrite(content, whole.tables, with);
    case damage::range_zeroed: {
      // Lengths from 8 bytes to all of it, each order of magnitude alike; half of the ranges are whole disk blocks.
      std::size_t length = std::size_t{8} << with.below(12);
      length += with.below(length);
      std::size_t start = with.below(content.size());
      if (with.below(2) == 0) {
        start &= ~std::size_t{511};
        length = (length + 511) & ~std::size_t{511};
      }
      length = std::min(length, content.size() - start);
      std::fill_n(content.begin() + static_cast<std::ptrdiff_t>(start), length, std::byte{0});
      return "-from-" + std::to_string(start) + "-length-" + std::to_string(length);
    }
  }
  return {};
}

// The section that the first damaged byte lies in, or what else it is part of. `with_sections` is the same library with
// its section table.
inline std::string place_of(const subject& whole, const subject& with_sections, const bytes& damaged) {
  const std::size_t common = std::min(whole.content.size(), damaged.size());
  std::size_t at = 0;
  while (at != common && damaged[at] == whole.content[at]) ++at;
  if (at == common) return damaged.size() == whole.content.size() ? "nowhere" : "the end";
  const bytes& named = with_sections.content;
  const auto header = record<Elf64_Ehdr>(named, 0);
  const auto section = [&](std::size_t i) {
    return record<Elf64_Shdr>(named, header.e_shoff + i * sizeof(Elf64_Shdr));
  };
  if (at < sizeof header) return "the ELF header";
  if (at < header.e_phoff + header.e_phnum * sizeof(Elf64_Phdr)) return "the program headers";
  for (std::size_t i = 1; i < header.e_shnum; ++i) {
    const auto one = section(i);
    if (one.sh_type == SHT_NOBITS || at < one.sh_offset || at - one.sh_offset >= one.sh_size) continue;
    return reinterpret_cast<const char*>(named.data() + section(header.e_shstrndx).sh_offset + one.sh_name);
  }
  return "between the sections";
}

}  // namespace mutate
