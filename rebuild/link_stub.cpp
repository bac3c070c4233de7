// SPDX-License-Identifier: MIT
// link_stub: reads what a library was bound to, and writes it as assembly.
#include "rebuild/link_stub.hpp"

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <map>
#include <string_view>
#include <utility>

namespace autoreload::building {
namespace {

constexpr std::uint16_t without_version = 1;  // in .gnu.version: global, of no version; 0 is local
constexpr std::uint16_t hidden = 0x8000;

// The libraries in the order of DT_NEEDED, and where each one's stub is.
struct needed {
  std::vector<link_stub> stubs;

  link_stub* named(std::string_view name) {
    const auto found = std::find_if(stubs.begin(), stubs.end(), [&](const link_stub& one) { return one.name == name; });
    return found == stubs.end() ? nullptr : &*found;
  }
};

needed read_needed(debug_file& library, file_bytes texts) {
  needed found;
  const file_bytes entries = library.section(".dynamic");
  Elf64_Dyn entry;
  for (std::uint64_t i = 0; read_record(entries, i, entry) && entry.d_tag != DT_NULL; ++i) {
    if (entry.d_tag == DT_NEEDED) found.stubs.push_back({std::string(string_at(texts, entry.d_un.d_val)), {}, {}});
  }
  return found;
}

struct version {
  std::string library;
  std::string name;
};

// What each number in .gnu.version means. The records are chained by offsets, which only lead forward.
std::map<std::uint16_t, version> read_versions(debug_file& library, file_bytes texts) {
  std::map<std::uint16_t, version> found;
  const file_bytes all = library.section(".gnu.version_r");
  Elf64_Verneed file;
  for (std::uint64_t at = 0; read_record(part_of(all, at, sizeof file), 0, file); at += file.vn_next) {
    Elf64_Vernaux one;
    std::uint64_t in = at + file.vn_aux;
    for (int i = 0; i < file.vn_cnt && read_record(part_of(all, in, sizeof one), 0, one); ++i, in += one.vna_next) {
      found[one.vna_other] = {std::string(string_at(texts, file.vn_file)), std::string(string_at(texts, one.vna_name))};
    }
    if (file.vn_next == 0) break;
  }
  return found;
}

bool fit_for_an_assembler(std::string_view name) {
  return !name.empty() && std::isdigit(static_cast<unsigned char>(name[0])) == 0 &&
         std::all_of(name.begin(), name.end(),
                     [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '.'; });
}

std::string definition(const std::string& name, unsigned type, const std::string& version) {
  std::string text;
  switch (type) {
    case STT_OBJECT: text = " .bss\n .type " + name + ", STT_OBJECT\n"; break;
    case STT_TLS: text = " .section .tbss,\"awT\",%nobits\n .type " + name + ", STT_TLS\n"; break;
    case STT_FUNC: text = " .text\n .type " + name + ", STT_FUNC\n"; break;
    default: text = " .text\n"; break;
  }
  text += " .globl " + name + "\n" + name + ":\n .zero 8\n";
  return version.empty() ? text : text + " .symver " + name + ", " + name + "@@@" + version + "\n";
}

}  // namespace

std::optional<std::vector<link_stub>> stubs_for(debug_file& library) {
  const file_bytes texts = library.section(".dynstr");
  const file_bytes symbols = library.section(".dynsym");
  const file_bytes numbers = library.section(".gnu.version");
  if (symbols.empty()) return std::nullopt;
  needed found = read_needed(library, texts);
  const std::map<std::uint16_t, version> versions = read_versions(library, texts);
  for (const auto& [number, one] : versions) {
    link_stub* const stub = found.named(one.library);
    if (stub == nullptr || !fit_for_an_assembler(one.name)) return std::nullopt;
    stub->versions += one.name + " { };\n";
  }
  Elf64_Sym symbol;
  for (std::uint64_t i = 1; read_record(symbols, i, symbol); ++i) {
    if (symbol.st_shndx != SHN_UNDEF) continue;
    std::uint16_t number = without_version;
    if (read_record(numbers, i, number)) number &= static_cast<std::uint16_t>(~hidden);
    const auto of = versions.find(number);
    const bool versioned = of != versions.end();
    // A weak one that nobody defined when the library was linked in full is none of these libraries'.
    if (!versioned && ELF64_ST_BIND(symbol.st_info) == STB_WEAK) continue;
    const std::string name(string_at(texts, symbol.st_name));
    if (found.stubs.empty() || !fit_for_an_assembler(name)) return std::nullopt;
    link_stub& stub = versioned ? *found.named(of->second.library) : found.stubs.front();
    stub.assembly += definition(name, ELF64_ST_TYPE(symbol.st_info), versioned ? of->second.name : std::string());
  }
  return std::move(found.stubs);
}

}  // namespace autoreload::building
