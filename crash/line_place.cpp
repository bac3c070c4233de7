// SPDX-License-Identifier: MIT
// line_place: the source line that an address of a library belongs to, by the DWARF line number program.
//
// .debug_line is a row of units, one for each source file that was compiled. A unit has a header, tables of folders and
// files, and a program for a small machine that, run, yields rows (address, file, line) in sequences of rising address.
// The address belongs to the last row at or before it in a sequence that goes on beyond it. All programs are run until
// one fits; only then are its tables read for the name.
#include "crash/source_place.hpp"
#include "elf/sections.hpp"

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
enum content_type : std::uint8_t { content_path = 1, content_folder = 2 };
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
class reader {
 public:
  explicit reader(file_bytes bytes) noexcept : bytes_(bytes) {}

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
  [[nodiscard]] reader part(std::uint64_t size) noexcept { return reader(take(size)); }
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

struct unit {
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
bool next_unit(reader& section, unit& into) noexcept {
  into = unit{};
  std::uint64_t length = section.number(4);
  if (length == 0xffffffff) {
    into.offset_size = 8;
    length = section.number(8);
  }
  reader content = section.part(length);
  if (section.failed()) return false;
  into.version = static_cast<unsigned>(content.number(2));
  if (into.version < 2 || into.version > 5) return true;
  if (into.version >= 5) content.number(2);  // sizes of an address and of a segment selector
  reader header = content.part(content.number(into.offset_size));
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

struct row {
  std::uint64_t address = 0;
  std::uint64_t file = 1;
  std::uint64_t line = 1;
};

// Runs a unit's program. @return whether one of its sequences has the address; `found` is then the row it belongs to.
bool run(const unit& of, std::uint64_t address, row& found) noexcept {
  reader program(of.program);
  row now;
  row before;
  bool in_sequence = false;  // `before` is a row of this sequence
  bool dropped = false;      // the linker threw the sequence's code away and left it at address 0

  const auto emit = [&] {
    const bool fits = in_sequence && !dropped && before.address <= address && address < now.address;
    if (fits) found = before;
    if (!in_sequence) dropped = now.address == 0;
    in_sequence = true;
    before = now;
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
        reader content = program.part(program.unsigned_leb());
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

struct strings {
  file_bytes of_lines;  // .debug_line_str
  file_bytes of_units;  // .debug_str
};

struct named_entry {
  std::string_view path;
  std::uint64_t folder = 0;
};

// DWARF 5's tables say of what their entries consist. Looks for entry number `wanted`, and always reads to the table's
// end.
bool find_entry(reader& from, const unit& of, const strings& texts, std::uint64_t wanted, named_entry& found) noexcept {
  const std::uint8_t columns = from.byte();
  const reader format = from;
  for (unsigned i = 0; i < 2U * columns; ++i) from.unsigned_leb();
  const std::uint64_t count = from.unsigned_leb();
  bool has_it = false;
  for (std::uint64_t i = 0; i < count && columns > 0 && from.more(); ++i) {
    reader column = format;
    named_entry entry;
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
      if (type == content_folder) entry.folder = number;
    }
    if (i != wanted || from.failed()) continue;
    found = entry;
    has_it = true;
  }
  return has_it;
}

line_place name_version_5(const unit& of, const strings& texts, const row& at) noexcept {
  reader folders(of.tables);
  reader files = folders;
  named_entry file;
  named_entry folder;
  find_entry(files, of, texts, ~std::uint64_t{0}, folder);  // to where the files begin
  if (!find_entry(files, of, texts, at.file, file)) return {};
  line_place place;
  place.file = file.path;
  place.line = static_cast<std::uint32_t>(at.line);
  reader again = folders;
  if (find_entry(again, of, texts, 0, folder)) place.root = folder.path;  // where the compiler was started
  if (file.folder != 0 && find_entry(folders, of, texts, file.folder, folder)) place.folder = folder.path;
  return place;
}

// Before version 5: folders and files are counted from 1, folder 0 is where the compiler was started, which is not told
// here.
line_place name_version_2(const unit& of, const row& at) noexcept {
  reader tables(of.tables);
  const reader folders = tables;
  while (tables.more() && !tables.string().empty()) {
  }
  for (std::uint64_t i = 1; tables.more(); ++i) {
    const std::string_view name = tables.string();
    if (name.empty()) return {};
    const std::uint64_t folder = tables.unsigned_leb();
    tables.unsigned_leb();  // time
    tables.unsigned_leb();  // size
    if (i != at.file || tables.failed()) continue;
    line_place place;
    place.file = name;
    place.line = static_cast<std::uint32_t>(at.line);
    reader search = folders;
    for (std::uint64_t f = 1; folder != 0 && search.more(); ++f) {
      const std::string_view text = search.string();
      if (text.empty()) break;
      if (f == folder) place.folder = text;
    }
    return place;
  }
  return {};
}

}  // namespace

line_place find_line(file_bytes file, std::uint64_t address) noexcept {
  const elf_sections sections(file);
  reader lines(sections.content(".debug_line"));
  unit one;
  row at;
  while (lines.more() && next_unit(lines, one)) {
    if (one.version == 0 || one.version > 5 || one.version < 2 || !run(one, address, at)) continue;
    if (one.version < 5) return name_version_2(one, at);
    return name_version_5(one, {sections.content(".debug_line_str"), sections.content(".debug_str")}, at);
  }
  return {};
}

}  // namespace autoreload
