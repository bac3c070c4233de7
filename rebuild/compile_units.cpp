// SPDX-License-Identifier: MIT
// compile_units: reads the first entry of each unit of .debug_info, and nothing after it.
#include "rebuild/compile_units.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "elf/line_table.hpp"

namespace autoreload::building {
namespace {

// The numbers are DWARF's own (version 5, sections 7.5 and 7.22).
constexpr std::uint64_t tag_compile_unit = 0x11;
constexpr std::uint64_t attribute_name = 0x03;
constexpr std::uint64_t attribute_directory = 0x1b;
constexpr std::uint64_t attribute_producer = 0x25;
constexpr std::uint64_t attribute_string_offsets = 0x72;

constexpr std::size_t most_units = 100'000;
constexpr int most_abbreviations = 1'000;  // a unit's first entry uses one of the first

struct unit_reader {
  byte_reader content;
  unsigned version = 0;
  std::uint64_t offset_size = 4;
  std::uint64_t address_size = 8;
};

struct string_sections {
  file_bytes strings;   // .debug_str
  file_bytes of_lines;  // .debug_line_str
  file_bytes offsets;   // .debug_str_offsets
};

// A string, or where one is to be found when the whole entry is read.
struct value {
  std::string_view text;
  std::optional<std::uint64_t> index;  // in .debug_str_offsets
  std::uint64_t number = 0;
  bool known = true;
};

// How the value of each form is stored. What is not here can't be passed over.
enum class shape : std::uint8_t {
  bytes,
  leb,
  signed_leb,
  text,
  offset,
  text_offset,
  line_text_offset,
  index,
  index_leb,
  address,
  reference,
  block,
  block_leb
};
struct form_shape {
  std::uint64_t form;
  building::shape shape;
  std::uint64_t size;  // of bytes and index: how many; of block: those of its length
};
constexpr std::array forms{
    form_shape{0x01, shape::address, 0},           // addr
    form_shape{0x03, shape::block, 2},             // block2
    form_shape{0x04, shape::block, 4},             // block4
    form_shape{0x05, shape::bytes, 2},             // data2
    form_shape{0x06, shape::bytes, 4},             // data4
    form_shape{0x07, shape::bytes, 8},             // data8
    form_shape{0x08, shape::text, 0},              // string
    form_shape{0x09, shape::block_leb, 0},         // block
    form_shape{0x0a, shape::block, 1},             // block1
    form_shape{0x0b, shape::bytes, 1},             // data1
    form_shape{0x0c, shape::bytes, 1},             // flag
    form_shape{0x0d, shape::signed_leb, 0},        // sdata
    form_shape{0x0e, shape::text_offset, 0},       // strp
    form_shape{0x0f, shape::leb, 0},               // udata
    form_shape{0x10, shape::reference, 0},         // ref_addr
    form_shape{0x11, shape::bytes, 1},             // ref1
    form_shape{0x12, shape::bytes, 2},             // ref2
    form_shape{0x13, shape::bytes, 4},             // ref4
    form_shape{0x14, shape::bytes, 8},             // ref8
    form_shape{0x15, shape::leb, 0},               // ref_udata
    form_shape{0x17, shape::offset, 0},            // sec_offset
    form_shape{0x18, shape::block_leb, 0},         // exprloc
    form_shape{0x19, shape::bytes, 0},             // flag_present
    form_shape{0x1a, shape::index_leb, 0},         // strx
    form_shape{0x1b, shape::leb, 0},               // addrx
    form_shape{0x1c, shape::bytes, 4},             // ref_sup4
    form_shape{0x1d, shape::offset, 0},            // strp_sup
    form_shape{0x1e, shape::bytes, 16},            // data16
    form_shape{0x1f, shape::line_text_offset, 0},  // line_strp
    form_shape{0x20, shape::bytes, 8},             // ref_sig8
    form_shape{0x21, shape::bytes, 0},             // implicit_const
    form_shape{0x22, shape::leb, 0},               // loclistx
    form_shape{0x23, shape::leb, 0},               // rnglistx
    form_shape{0x24, shape::bytes, 8},             // ref_sup8
    form_shape{0x25, shape::index, 1},             // strx1
    form_shape{0x26, shape::index, 2},             // strx2
    form_shape{0x27, shape::index, 3},             // strx3
    form_shape{0x28, shape::index, 4},             // strx4
    form_shape{0x29, shape::bytes, 1},             // addrx1
    form_shape{0x2a, shape::bytes, 2},             // addrx2
    form_shape{0x2b, shape::bytes, 3},             // addrx3
    form_shape{0x2c, shape::bytes, 4},             // addrx4
    form_shape{0x1f20, shape::offset, 0},          // GNU_ref_alt: of dwz, as the next
    form_shape{0x1f21, shape::offset, 0},          // GNU_strp_alt
};

value read_value(unit_reader& from, std::uint64_t form, const string_sections& texts) {
  byte_reader& in = from.content;
  const auto* const found =
      std::find_if(forms.begin(), forms.end(), [&](const form_shape& one) { return one.form == form; });
  value read;
  if (found == forms.end()) {
    read.known = false;
    return read;
  }
  switch (found->shape) {
    case shape::bytes: in.take(found->size); break;
    case shape::leb: read.number = in.unsigned_leb(); break;
    case shape::signed_leb: in.signed_leb(); break;
    case shape::text: read.text = in.string(); break;
    case shape::offset: read.number = in.number(from.offset_size); break;
    case shape::text_offset: read.text = string_at(texts.strings, in.number(from.offset_size)); break;
    case shape::line_text_offset: read.text = string_at(texts.of_lines, in.number(from.offset_size)); break;
    case shape::index: read.index = in.number(found->size); break;
    case shape::index_leb: read.index = in.unsigned_leb(); break;
    case shape::address: in.take(from.address_size); break;
    case shape::reference: in.take(from.version == 2 ? from.address_size : from.offset_size); break;
    case shape::block: in.take(in.number(found->size)); break;
    case shape::block_leb: in.take(in.unsigned_leb()); break;
  }
  return read;
}

// Moves to the abbreviation of this code, behind it. @return whether there is one, of a compile unit
bool find_abbreviation(byte_reader& table, std::uint64_t code) {
  for (int i = 0; i < most_abbreviations && table.more(); ++i) {
    const std::uint64_t one = table.unsigned_leb();
    if (one == 0) return false;
    const std::uint64_t tag = table.unsigned_leb();
    table.byte();  // whether it has children
    if (one == code) return tag == tag_compile_unit;
    for (std::uint64_t attribute = 1, form = 1; table.more() && (attribute != 0 || form != 0);) {
      attribute = table.unsigned_leb();
      form = table.unsigned_leb();
      if (form == 0x21) table.signed_leb();
    }
  }
  return false;
}

std::string text_of(const value& one, const string_sections& texts, std::uint64_t base, std::uint64_t offset_size) {
  if (!one.index) return std::string(one.text);
  if (*one.index > texts.offsets.size() || base > texts.offsets.size()) return {};
  byte_reader at(part_of(texts.offsets, base + *one.index * offset_size, offset_size));
  const std::uint64_t offset = at.number(offset_size);
  return at.failed() ? std::string() : std::string(string_at(texts.strings, offset));
}

void read_first_entry(unit_reader& unit, byte_reader abbreviations, const string_sections& texts,
                      std::vector<compile_unit>& into) {
  if (!find_abbreviation(abbreviations, unit.content.unsigned_leb())) return;
  value name;
  value directory;
  value producer;
  std::uint64_t base = unit.offset_size * 2;  // behind the header of .debug_str_offsets, when the entry does not say
  while (abbreviations.more() && !unit.content.failed()) {
    const std::uint64_t attribute = abbreviations.unsigned_leb();
    const std::uint64_t form = abbreviations.unsigned_leb();
    if (form == 0x21) abbreviations.signed_leb();
    if (attribute == 0 && form == 0) break;
    const value one = read_value(unit, form, texts);
    if (!one.known) break;
    if (attribute == attribute_name) name = one;
    if (attribute == attribute_directory) directory = one;
    if (attribute == attribute_producer) producer = one;
    if (attribute == attribute_string_offsets) base = one.number;
  }
  const auto text = [&](const value& of) { return text_of(of, texts, base, unit.offset_size); };
  compile_unit made{text(name), text(directory), text(producer)};
  if (!made.source.empty()) into.push_back(std::move(made));
}

}  // namespace

std::vector<compile_unit> list_compile_units(debug_file& of) {
  const file_bytes abbreviations = of.section(".debug_abbrev");
  const string_sections texts{of.section(".debug_str"), of.section(".debug_line_str"),
                              of.section(".debug_str_offsets")};
  byte_reader units(of.section(".debug_info"));
  std::vector<compile_unit> found;
  while (units.more() && found.size() < most_units) {
    unit_reader one{byte_reader({})};
    std::uint64_t length = units.number(4);
    if (length == 0xffffffff) {
      one.offset_size = 8;
      length = units.number(8);
    }
    one.content = units.part(length);
    if (units.failed()) break;
    one.version = static_cast<unsigned>(one.content.number(2));
    std::uint64_t kind = 1;  // a whole compile unit
    if (one.version >= 5) {
      kind = one.content.number(1);
      one.address_size = one.content.number(1);
    }
    const std::uint64_t table = one.content.number(one.offset_size);
    if (one.version < 5) one.address_size = one.content.number(1);
    if (one.version < 2 || one.version > 5 || kind != 1 || table >= abbreviations.size()) continue;
    read_first_entry(one, byte_reader(abbreviations.subspan(static_cast<std::size_t>(table))), texts, found);
  }
  return found;
}

}  // namespace autoreload::building
