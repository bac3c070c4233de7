// SPDX-License-Identifier: MIT
// split_package: the package's index says which part of each section belongs to a unit; each section's data is narrowed
// to that part before libdw sees it, in a private copy of the file.
#include "types/helper/split_package.hpp"

#include <cstring>
#include <map>
#include <string>

namespace autoreload::types {

namespace {

// The index of units (DWARF 5, 7.3.5.3, and its forerunner, version 2): a header, a hash table of ids, a parallel table
// of row numbers, a row of column headings, then rows of offsets and rows of sizes.
class unit_index {
 public:
  explicit unit_index(const Elf_Data* data)
      : bytes_(static_cast<const char*>(data->d_buf), data->d_buf == nullptr ? 0 : data->d_size) {
    version_ = number(0) & 0xffff;  // version 5 has 16 bits of padding behind it
    columns_ = number(4);
    units_ = number(8);
    slots_ = number(12);
  }

  struct part {
    std::uint32_t offset;
    std::uint32_t size;
  };

  /// Section number to the unit's part of it; empty when the unit isn't there.
  [[nodiscard]] std::map<std::uint32_t, part> parts(std::uint64_t id) const {
    std::map<std::uint32_t, part> found;
    if ((version_ != 2 && version_ != 5) || columns_ > 16 || slots_ > bytes_.size() / 12) return found;
    const std::size_t rows = 16 + std::size_t{slots_} * 8;
    const std::size_t headings = rows + std::size_t{slots_} * 4;
    for (std::size_t slot = 0; slot < slots_; ++slot) {
      const std::uint64_t here = number(16 + slot * 8) | std::uint64_t{number(20 + slot * 8)} << 32;
      const std::uint32_t row = number(rows + slot * 4);
      if (here != id || row == 0 || row > units_) continue;
      const std::size_t offsets = headings + std::size_t{row} * columns_ * 4;
      for (std::size_t column = 0; column < columns_; ++column) {
        found[number(headings + column * 4)] = {number(offsets + column * 4),
                                                number(offsets + (std::size_t{units_} * columns_ + column) * 4)};
      }
      break;
    }
    return found;
  }

 private:
  [[nodiscard]] std::uint32_t number(std::size_t at) const {
    std::uint32_t value = 0;
    if (at + sizeof value <= bytes_.size()) std::memcpy(&value, bytes_.data() + at, sizeof value);
    return value;
  }

  std::string_view bytes_;
  std::uint32_t version_ = 0;
  std::uint32_t columns_ = 0;
  std::uint32_t units_ = 0;
  std::uint32_t slots_ = 0;
};

constexpr std::pair<std::string_view, std::uint32_t> sliced[] = {
    {".debug_info.dwo", 1}, {".debug_abbrev.dwo", 3}, {".debug_str_offsets.dwo", 6}};

}  // namespace

bool narrow_package(debug_source& source, std::uint64_t id) {
  std::size_t names = 0;
  if (!source.elf || elf_getshdrstrndx(source.elf.get(), &names) != 0) return false;
  std::map<std::string_view, Elf_Data*> sections;
  for (Elf_Scn* s = elf_nextscn(source.elf.get(), nullptr); s != nullptr; s = elf_nextscn(source.elf.get(), s)) {
    GElf_Shdr header;
    if (gelf_getshdr(s, &header) == nullptr) continue;
    const char* const name = elf_strptr(source.elf.get(), names, header.sh_name);
    Elf_Data* const data = elf_getdata(s, nullptr);
    if (name != nullptr && data != nullptr) sections[name] = data;
  }
  const auto index = sections.find(".debug_cu_index");
  if (index == sections.end()) return false;
  const auto parts = unit_index(index->second).parts(id);
  if (parts.empty()) return false;
  for (const auto& [name, number] : sliced) {
    const auto section = sections.find(name);
    const auto part = parts.find(number);
    if (section == sections.end() || part == parts.end()) continue;
    Elf_Data& data = *section->second;
    if (part->second.offset > data.d_size || part->second.size > data.d_size - part->second.offset) return false;
    data.d_buf = static_cast<char*>(data.d_buf) + part->second.offset;
    data.d_size = part->second.size;
  }
  // The indexes' names don't end in `.dwo`, and because of them libdw would not look for those that do.
  for (const auto& [name, data] : sections) {
    if (name.starts_with(".debug_") && !name.ends_with(".dwo")) const_cast<char&>(name.front()) = '_';
  }
  return true;
}

}  // namespace autoreload::types
