// SPDX-License-Identifier: MIT
// line_place: the source line that an address of a library belongs to, by the DWARF line number program.
//
// A unit of .debug_line has a program for a small machine that, run, yields rows (address, file, line) in sequences of
// rising address. The address belongs to the last row at or before it in a sequence that goes on beyond it. All
// programs are run until one fits; only then are its tables read for the name.
#include "crash/source_place.hpp"
#include "elf/line_table.hpp"

namespace autoreload {
namespace {

// The numbers are DWARF's own (version 5, section 7.22).
enum standard_code : std::uint8_t {
  extended = 0,
  copy = 1,
  advance_address = 2,
  advance_line = 3,
  set_file = 4,
  constant_add_address = 8,
  fixed_advance_address = 9,
};
enum extended_code : std::uint8_t { end_sequence = 1, set_address = 2 };

struct row {
  std::uint64_t address = 0;
  std::uint64_t file = 1;
  std::uint64_t line = 1;
};

// Runs a unit's program. @return whether one of its sequences has the address; `found` is then the row it belongs to.
bool run(const line_unit& of, std::uint64_t address, row& found) noexcept {
  byte_reader program(of.program);
  row now;
  row before;
  bool in_sequence = false;  // `before` is a row of this sequence
  bool dropped = false;      // the linker threw the sequence's code away and left it at address 0

  const auto emit = [&] {
    const bool fits = in_sequence && !dropped && before.address <= address && address < now.address;
    if (fits) found = before;
    if (!in_sequence) dropped = now.address == 0;
    // Line 0 is code of no line, or of several (clang merges equal ends): the one before it is the nearest.
    row next = now;
    if (next.line == 0 && in_sequence) {
      next.line = before.line;
      next.file = before.file;
    }
    in_sequence = true;
    before = next;
    return fits;
  };

  while (program.more()) {
    const std::uint8_t code = program.byte();
    if (code >= of.first_special) {
      const std::uint64_t step = code - of.first_special;
      now.address += step / of.line_range * of.instruction;
      now.line += static_cast<std::uint64_t>(of.line_base) + step % of.line_range;
      if (emit()) return true;
      continue;
    }
    switch (code) {
      case extended: {
        byte_reader content = program.part(program.unsigned_leb());
        const std::uint8_t kind = content.byte();
        if (kind == end_sequence) {
          if (emit()) return true;
          now = row{};
          in_sequence = false;
        } else if (kind == set_address) {
          now.address = content.number(8);
        }
        break;
      }
      case copy:
        if (emit()) return true;
        break;
      case advance_address: now.address += program.unsigned_leb() * of.instruction; break;
      case advance_line: now.line += static_cast<std::uint64_t>(program.signed_leb()); break;
      case set_file: now.file = program.unsigned_leb(); break;
      case constant_add_address: now.address += (255 - of.first_special) / of.line_range * of.instruction; break;
      case fixed_advance_address: now.address += program.number(2); break;
      default:  // the header says how many operands to pass over
        for (auto left = std::to_integer<unsigned>(of.operands[code - 1U]); left > 0; --left) program.unsigned_leb();
    }
  }
  return false;
}

// Looks for entry number `wanted`, and always reads to the table's end.
bool find_entry(byte_reader& from, const line_unit& of, const line_strings& texts, std::uint64_t wanted,
                line_entry& found) noexcept {
  bool has_it = false;
  read_entries(from, of, texts, [&](std::uint64_t number, const line_entry& entry) {
    if (number != wanted) return;
    found = entry;
    has_it = true;
  });
  return has_it;
}

line_place name_version_5(const line_unit& of, const line_strings& texts, const row& at) noexcept {
  byte_reader directories(of.tables);
  byte_reader files = directories;
  line_entry file;
  line_entry directory;
  find_entry(files, of, texts, ~std::uint64_t{0}, directory);  // to where the files begin
  if (!find_entry(files, of, texts, at.file, file)) return {};
  line_place place;
  place.file = file.path;
  place.line = static_cast<std::uint32_t>(at.line);
  byte_reader again = directories;
  if (find_entry(again, of, texts, 0, directory)) place.root = directory.path;  // where the compiler was started
  if (file.directory != 0 && find_entry(directories, of, texts, file.directory, directory))
    place.directory = directory.path;
  return place;
}

// Before version 5: directories and files are counted from 1, directory 0 is where the compiler was started, which is
// not told here.
line_place name_version_2(const line_unit& of, const row& at) noexcept {
  byte_reader tables(of.tables);
  const byte_reader directories = tables;
  while (tables.more() && !tables.string().empty()) {
  }
  for (std::uint64_t i = 1; tables.more(); ++i) {
    const std::string_view name = tables.string();
    if (name.empty()) return {};
    const std::uint64_t directory = tables.unsigned_leb();
    tables.unsigned_leb();  // time
    tables.unsigned_leb();  // size
    if (i != at.file || tables.failed()) continue;
    line_place place;
    place.file = name;
    place.line = static_cast<std::uint32_t>(at.line);
    byte_reader search = directories;
    for (std::uint64_t f = 1; directory != 0 && search.more(); ++f) {
      const std::string_view text = search.string();
      if (text.empty()) break;
      if (f == directory) place.directory = text;
    }
    return place;
  }
  return {};
}

}  // namespace

line_place find_line(file_bytes file, std::uint64_t address) noexcept {
  const elf_sections sections(file);
  byte_reader lines(sections.content(".debug_line"));
  line_unit one;
  row at;
  while (lines.more() && next_line_unit(lines, one)) {
    if (one.version == 0 || one.version > 5 || one.version < 2 || !run(one, address, at)) continue;
    if (one.version < 5) return name_version_2(one, at);
    return name_version_5(one, {sections.content(".debug_line_str"), sections.content(".debug_str")}, at);
  }
  return {};
}

}  // namespace autoreload
