// SPDX-License-Identifier: MIT
// units: from an address to a unit by .debug_aranges where the compiler wrote it (g++ does, clang does not), else by
// the ranges that each unit's root states. Neither looks into a unit.
#include "types/helper/units.hpp"

#include <dwarf.h>
#include <elfutils/libdwelf.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "types/helper/inflate.hpp"
#include "types/helper/split_package.hpp"

namespace autoreload::types {

namespace {

debug_source open_elf(int file) {
  return {.file = file, .elf = elf_handle(elf_begin(file, ELF_C_READ_MMAP_PRIVATE, nullptr))};
}

void begin_dwarf(debug_source& source) {
  if (source.elf) source.dwarf.reset(dwarf_begin_elf(source.elf.get(), DWARF_C_READ, nullptr));
}

// The sum that .gnu_debuglink carries.
std::uint32_t crc32_of(Elf* elf) {
  std::uint32_t table[256];
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = value >> 1 ^ ((value & 1) != 0 ? 0xedb88320U : 0);
    table[i] = value;
  }
  std::size_t size = 0;
  const char* const bytes = elf_rawfile(elf, &size);
  std::uint32_t crc = 0xffffffffU;
  for (std::size_t i = 0; bytes != nullptr && i < size; ++i) {
    crc = table[(crc ^ static_cast<unsigned char>(bytes[i])) & 0xff] ^ crc >> 8;
  }
  return ~crc;
}

bool same_build(Elf* loaded, Elf* debug) {
  const void* a = nullptr;
  const void* b = nullptr;
  const ssize_t a_size = dwelf_elf_gnu_build_id(loaded, &a);
  const ssize_t b_size = dwelf_elf_gnu_build_id(debug, &b);
  if (a_size > 0 && b_size > 0) return a_size == b_size && std::memcmp(a, b, static_cast<std::size_t>(a_size)) == 0;
  GElf_Word crc = 0;
  return dwelf_elf_gnu_debuglink(loaded, &crc) != nullptr && crc == crc32_of(debug);
}

std::string directory_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash);
}

}  // namespace

units::units(const std::string& path, int file, int debug_file, std::vector<std::string>& problems)
    : path_(path), problems_(problems) {
  elf_version(EV_CURRENT);
  elf_.reset(elf_begin(file, ELF_C_READ_MMAP, nullptr));
  if (!elf_) return;
  read_exported(elf_.get());
  main_ = open_elf(debug_file >= 0 ? debug_file : file);
  if (debug_file >= 0 && main_.elf && !same_build(elf_.get(), main_.elf.get())) {
    problems_.emplace_back("its separate debug information belongs to another build");
    return;
  }
  main_.inflated = inflate_sections(main_.elf.get(), problems_);
  begin_dwarf(main_);
}

void units::read_exported(Elf* elf) {
  for (Elf_Scn* section = elf_nextscn(elf, nullptr); section != nullptr; section = elf_nextscn(elf, section)) {
    GElf_Shdr header;
    if (gelf_getshdr(section, &header) == nullptr || header.sh_type != SHT_DYNSYM || header.sh_entsize == 0) continue;
    Elf_Data* const data = elf_getdata(section, nullptr);
    const auto count = static_cast<int>(header.sh_size / header.sh_entsize);
    for (int i = 0; data != nullptr && i < count; ++i) {
      GElf_Sym symbol;
      if (gelf_getsym(data, i, &symbol) == nullptr || symbol.st_shndx == SHN_UNDEF) continue;
      const char* const name = elf_strptr(elf, header.sh_link, symbol.st_name);
      if (name == nullptr) continue;
      exported_.emplace(name, elf_symbol{symbol.st_value, static_cast<unsigned char>(GELF_ST_TYPE(symbol.st_info))});
    }
  }
}

std::unordered_map<std::uint64_t, Dwarf_Die> units::at(const std::vector<std::uint64_t>& addresses) {
  std::unordered_map<std::uint64_t, Dwarf_Die> found;
  const auto accept = [&](std::uint64_t address, Dwarf_Die skeleton) {
    Dwarf_Die split{};
    dwarf_cu_info(skeleton.cu, nullptr, nullptr, nullptr, &split, nullptr, nullptr, nullptr);
    if (const std::optional<Dwarf_Die> full = full_unit(skeleton, split)) found.emplace(address, *full);
  };

  std::vector<std::uint64_t> left;
  Dwarf_Aranges* table = nullptr;
  std::size_t count = 0;
  const bool indexed = dwarf_getaranges(main_.dwarf.get(), &table, &count) == 0 && count != 0;
  for (const std::uint64_t address : addresses) {
    Dwarf_Arange* const range = indexed ? dwarf_getarange_addr(table, address) : nullptr;
    Dwarf_Off offset = 0;
    Dwarf_Die root;
    if (range != nullptr && dwarf_getarangeinfo(range, nullptr, nullptr, &offset) == 0 &&
        dwarf_offdie(main_.dwarf.get(), offset, &root) != nullptr) {
      accept(address, root);
    } else {
      left.push_back(address);
    }
  }

  std::ranges::sort(left);
  Dwarf_CU* unit = nullptr;
  Dwarf_Die root;
  while (!left.empty() && dwarf_get_units(main_.dwarf.get(), unit, &unit, nullptr, nullptr, &root, nullptr) == 0) {
    Dwarf_Addr base = 0;
    Dwarf_Addr begin = 0;
    Dwarf_Addr end = 0;
    std::ptrdiff_t next = 0;
    std::vector<std::uint64_t> here;
    while ((next = dwarf_ranges(&root, next, &base, &begin, &end)) > 0) {
      for (auto it = std::ranges::lower_bound(left, begin); it != left.end() && *it < end; ++it) here.push_back(*it);
    }
    for (const std::uint64_t address : here) {
      accept(address, root);
      std::erase(left, address);
    }
  }
  return found;
}

std::optional<Dwarf_Die> units::full_unit(Dwarf_Die skeleton, Dwarf_Die split) {
  std::uint8_t unit = 0;
  dwarf_cu_info(skeleton.cu, nullptr, &unit, nullptr, nullptr, nullptr, nullptr, nullptr);
  // libdw gives the type of a type unit where it gives the split part of a skeleton.
  if (split.addr != nullptr && unit != DW_UT_type && unit != DW_UT_split_type) return split;
  Dwarf_Attribute attribute;
  const char* name = nullptr;
  for (const unsigned which : {DW_AT_dwo_name, DW_AT_GNU_dwo_name}) {
    if (dwarf_attr(&skeleton, which, &attribute) != nullptr) name = dwarf_formstring(&attribute);
  }
  if (name == nullptr) return skeleton;
  std::uint64_t id = 0;
  dwarf_cu_info(skeleton.cu, nullptr, nullptr, nullptr, nullptr, &id, nullptr, nullptr);
  const auto [it, fresh] = found_split_.try_emplace(id);
  if (fresh) {
    it->second = find_split(id, name);
    if (!it->second) problems_.push_back("its split debug information " + std::string(name) + " was not found");
  }
  return it->second;
}

// libdw looks where the compiler left the file. It may have been moved along with the library, or been packed.
std::optional<Dwarf_Die> units::find_split(std::uint64_t id, const std::string& name) {
  const std::string directory = directory_of(path_);
  for (const std::string& candidate :
       {path_ + ".dwp", directory + "/" + name, directory + "/" + name.substr(name.rfind('/') + 1)}) {
    const int file = ::open(candidate.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0) continue;
    debug_source source = open_elf(file);
    source.inflated = inflate_sections(source.elf.get(), problems_);
    if (!candidate.ends_with(".dwp") || narrow_package(source, id)) begin_dwarf(source);
    Dwarf_CU* unit = nullptr;
    Dwarf_Die root;
    std::uint64_t unit_id = 0;
    while (source.dwarf && dwarf_get_units(source.dwarf.get(), unit, &unit, nullptr, nullptr, &root, nullptr) == 0) {
      dwarf_cu_info(unit, nullptr, nullptr, nullptr, nullptr, &unit_id, nullptr, nullptr);
      Dwarf_Attribute attribute;
      Dwarf_Word old_id = 0;  // before DWARF 5 it was an attribute
      if (dwarf_attr(&root, DW_AT_GNU_dwo_id, &attribute) != nullptr) dwarf_formudata(&attribute, &old_id);
      if (unit_id == id || old_id == id) {
        split_.push_back(std::move(source));
        return root;
      }
    }
    close(file);
  }
  return std::nullopt;
}

}  // namespace autoreload::types
