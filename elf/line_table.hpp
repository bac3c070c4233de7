// SPDX-License-Identifier: MIT
// line_table: reads the headers of DWARF's line tables, and the files that they name.
//
// .debug_line is a row of units, one for each source file that was compiled. A unit has a header, tables of directories
// and files, and a program that yields the lines. Everything here reads bytes that may be damaged: no allocation, no
// lock, nothing past their end, and time linear in their number.
#pragma once

#include "elf/sections.hpp"

namespace autoreload {

// The numbers are DWARF's own (version 5, section 7.22).
enum content_type : std::uint8_t { content_path = 1, content_directory = 2 };
enum form : std::uint8_t {
  form_data2 = 0x05,
  form_data4 = 0x06,
  form_data8 = 0x07,
  form_string = 0x08,
  form_block = 0x09,
  form_block1 = 0x0a,
  form_data1 = 0x0b,
  form_strp = 0x0e,
  form_udata = 0x0f,
  form_data16 = 0x1e,
  form_line_strp = 0x1f,
};

// Reads on from a place in the bytes. Past their end it yields zeros and remembers that it failed.
class byte_reader {
 public:
  explicit byte_reader(file_bytes bytes) noexcept : bytes_(bytes) {}

  [[nodiscard]] bool more() const noexcept { return !failed_ && at_ < bytes_.size(); }
  [[nodiscard]] bool failed() const noexcept { return failed_; }

  file_bytes take(std::uint64_t size) noexcept {
    if (failed_ || size > bytes_.size() - at_) {
      failed_ = true;
      return {};
    }
    const file_bytes taken = bytes_.subspan(at_, static_cast<std::size_t>(size));
    at_ += static_cast<std::size_t>(size);
    return taken;
  }
  [[nodiscard]] byte_reader part(std::uint64_t size) noexcept { return byte_reader(take(size)); }
  file_bytes rest() noexcept { return take(bytes_.size() - at_); }

  // A number of up to eight bytes, little-endian.
  std::uint64_t number(std::uint64_t size) noexcept {
    std::uint64_t value = 0;
    const file_bytes taken = take(size);
    for (std::size_t i = taken.size(); i-- > 0;) value = value << 8 | std::to_integer<std::uint64_t>(taken[i]);
    return value;
  }
  std::uint8_t byte() noexcept { return static_cast<std::uint8_t>(number(1)); }

  // LEB128: seven bits a byte, the lowest first; the top bit says that another follows.
  std::uint64_t unsigned_leb() noexcept { return leb(false); }
  std::int64_t signed_leb() noexcept { return static_cast<std::int64_t>(leb(true)); }

  std::string_view string() noexcept {
    const std::string_view text = string_at(bytes_.subspan(at_), 0);
    if (take(text.size() + 1).empty()) return {};
    return text;
  }

 private:
  std::uint64_t leb(bool is_signed) noexcept {
    std::uint64_t value = 0;
    for (unsigned shift = 0;; shift += 7) {
      const std::uint64_t piece = byte();
      if (shift < 64) value |= (piece & 0x7f) << shift;
      if ((piece & 0x80) != 0) continue;  // ends at the latest with the bytes, which then yield zeros
      if (is_signed && (piece & 0x40) != 0 && shift + 7 < 64) value |= ~std::uint64_t{0} << (shift + 7);
      return value;
    }
  }

  file_bytes bytes_;
  std::size_t at_ = 0;
  bool failed_ = false;
};

struct line_unit {
  unsigned version = 0;
  std::uint64_t offset_size = 4;  // of references to other sections: 4, or 8 in 64-bit DWARF
  std::uint64_t instruction = 1;  // bytes of the smallest one
  std::int64_t line_base = 0;
  std::uint64_t line_range = 1;
  std::uint64_t first_special = 1;
  file_bytes operands;  // how many each standard code has
  file_bytes tables;
  file_bytes program;
};

// Reads the next unit whole, so that a unit that can't be read is passed over.
inline bool next_line_unit(byte_reader& section, line_unit& into) noexcept {
  into = line_unit{};
  std::uint64_t length = section.number(4);
  if (length == 0xffffffff) {
    into.offset_size = 8;
    length = section.number(8);
  }
  byte_reader content = section.part(length);
  if (section.failed()) return false;
  into.version = static_cast<unsigned>(content.number(2));
  if (into.version < 2 || into.version > 5) return true;
  if (into.version >= 5) content.number(2);  // sizes of an address and of a segment selector
  byte_reader header = content.part(content.number(into.offset_size));
  into.program = content.rest();
  into.instruction = header.byte();
  if (into.version >= 4) header.byte();  // operations per instruction: 1 but on VLIW machines
  header.byte();                         // whether rows start as statements
  into.line_base = static_cast<std::int8_t>(header.byte());
  into.line_range = header.byte();
  into.first_special = header.byte();
  into.operands = header.take(into.first_special - 1);
  into.tables = header.rest();
  if (header.failed() || into.line_range == 0 || into.first_special == 0) into.version = 0;
  return true;
}

struct line_strings {
  file_bytes of_lines;  // .debug_line_str
  file_bytes of_units;  // .debug_str
};

struct line_entry {
  std::string_view path;
  std::uint64_t directory = 0;
};

// DWARF 5's tables say of what their entries consist. Calls `visit(number, entry)` for each, and reads to the table's
// end.
inline void read_entries(byte_reader& from, const line_unit& of, const line_strings& texts, auto visit) noexcept {
  const std::uint8_t columns = from.byte();
  const byte_reader format = from;
  for (unsigned i = 0; i < 2U * columns; ++i) from.unsigned_leb();
  const std::uint64_t count = from.unsigned_leb();
  for (std::uint64_t i = 0; i < count && columns > 0 && from.more(); ++i) {
    byte_reader column = format;
    line_entry entry;
    for (unsigned c = 0; c < columns; ++c) {
      const std::uint64_t type = column.unsigned_leb();
      std::string_view text;
      std::uint64_t number = 0;
      switch (column.unsigned_leb()) {
        case form_string: text = from.string(); break;
        case form_line_strp: text = string_at(texts.of_lines, from.number(of.offset_size)); break;
        case form_strp: text = string_at(texts.of_units, from.number(of.offset_size)); break;
        case form_udata: number = from.unsigned_leb(); break;
        case form_data1: number = from.number(1); break;
        case form_data2: number = from.number(2); break;
        case form_data4: number = from.number(4); break;
        case form_data8: number = from.number(8); break;
        case form_data16: from.take(16); break;
        case form_block: from.take(from.unsigned_leb()); break;
        case form_block1: from.take(from.number(1)); break;
        default: from.take(~std::uint64_t{0});  // one that can't be passed over
      }
      if (type == content_path) entry.path = text;
      if (type == content_directory) entry.directory = number;
    }
    if (!from.failed()) visit(i, entry);
  }
}

}  // namespace autoreload
