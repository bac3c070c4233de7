// SPDX-License-Identifier: MIT
// exports: reads the dynamic symbol table and the versions that are defined.
#include "exec/exports.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "elf/dynamic_section.hpp"
#include "elf/names.hpp"

namespace autoreload::exec {
namespace {

std::string text_at(std::span<const std::byte> strings, std::uint64_t offset) {
  if (offset >= strings.size()) return {};
  return reinterpret_cast<const char*>(strings.data()) + offset;  // the inspector has seen its end
}

// The versions that the library defines, by their numbers.
std::map<std::uint16_t, std::string> defined_versions(const elf_view& file, const dynamic_tables& tables) {
  std::map<std::uint16_t, std::string> found;
  const auto first = tables.value(DT_VERDEF);
  const auto count = tables.value(DT_VERDEFNUM);
  std::uint64_t at = first.value_or(0);
  for (std::uint64_t i = 0; first && i < count.value_or(0); ++i) {
    const auto version = file.record_at<Elf64_Verdef>(at);
    if (!version) break;
    const auto name = file.record_at<Elf64_Verdaux>(at + version->vd_aux);
    if (name && (version->vd_flags & VER_FLG_BASE) == 0) {
      found[version->vd_ndx & 0x7fffU] = text_at(tables.strings, name->vda_name);
    }
    if (version->vd_next == 0) break;
    at += version->vd_next;
  }
  return found;
}

// From the hash table that the library has: sections may be stripped.
std::uint32_t count_symbols(const elf_view& file, const dynamic_tables& tables) {
  if (const auto hash = tables.value(DT_HASH)) {
    const auto header = file.table_at<std::uint32_t>(*hash, 2);
    return header ? (*header)[1] : 0;
  }
  const auto hash = tables.value(DT_GNU_HASH);
  if (!hash) return 0;
  const auto header = file.table_at<std::uint32_t>(*hash, 4);
  if (!header) return 0;
  const std::uint32_t buckets = (*header)[0];
  const std::uint32_t first = (*header)[1];
  const std::uint64_t at = *hash + 16 + std::uint64_t{(*header)[2]} * 8;
  const auto heads = file.table_at<std::uint32_t>(at, buckets);
  std::uint32_t last = 0;
  for (const std::uint32_t head : heads.value_or(table<std::uint32_t>())) last = std::max(last, head);
  if (last < first) return first;
  for (const std::uint64_t chain = at + std::uint64_t{buckets} * 4;; ++last) {
    const auto link = file.record_at<std::uint32_t>(chain + std::uint64_t{last - first} * 4);
    if (!link || (*link & 1U) != 0) return last + 1;
  }
}

std::pair<std::uint64_t, std::uint64_t> frozen_range(const elf_view& file) {
  for (const Elf64_Phdr part : file.program_headers()) {
    if (part.p_type == PT_GNU_RELRO) return {part.p_vaddr, part.p_vaddr + part.p_memsz};
  }
  return {0, 0};
}

symbol_kind kind_of(const Elf64_Sym& symbol, const elf_view& file, std::pair<std::uint64_t, std::uint64_t> frozen) {
  const unsigned type = ELF64_ST_TYPE(symbol.st_info);
  if (type == STT_TLS) return symbol_kind::thread_local_variable;  // the first is at 0 of its thread's
  // At address 0, or without a place in memory: rustc's metadata is such a symbol.
  if (symbol.st_shndx == SHN_ABS || symbol.st_value == 0) return symbol_kind::other;
  if (ELF64_ST_BIND(symbol.st_info) == STB_GNU_UNIQUE) return symbol_kind::unique;
  if (type == STT_GNU_IFUNC) return symbol_kind::chosen;
  const load_segment* const segment = file.holding(symbol.st_value, std::max<std::uint64_t>(symbol.st_size, 1));
  if (segment == nullptr) return symbol_kind::other;
  if (type == STT_FUNC || (type == STT_NOTYPE && (segment->flags & PF_X) != 0)) return symbol_kind::function;
  if (type != STT_OBJECT || symbol.st_size == 0) return symbol_kind::other;
  const bool is_frozen = symbol.st_value >= frozen.first && symbol.st_value + symbol.st_size <= frozen.second;
  return (segment->flags & PF_W) != 0 && !is_frozen ? symbol_kind::variable : symbol_kind::constant;
}

}  // namespace

std::optional<std::uint64_t> dynamic_tables::value(std::int64_t tag) const {
  const auto found = std::find_if(entries.begin(), entries.end(), [&](const auto& one) { return one.d_tag == tag; });
  if (found == entries.end()) return std::nullopt;
  return found->d_un.d_val;
}

std::optional<dynamic_tables> tables_of(const elf_view& file) {
  dynamic_tables tables;
  for (const Elf64_Dyn entry : dynamic_section_of(file).entries) tables.entries.push_back(entry);
  const auto symbols = tables.value(DT_SYMTAB);
  const auto strings = file.span_at(tables.value(DT_STRTAB).value_or(0), tables.value(DT_STRSZ).value_or(0));
  if (!symbols || !strings) return std::nullopt;
  tables.symbols = *symbols;
  tables.strings = *strings;
  tables.versions = tables.value(DT_VERSYM).value_or(0);
  tables.symbol_count = count_symbols(file, tables);
  return tables;
}

std::vector<exported_symbol> exports_of(const elf_view& file, const dynamic_tables& tables) {
  const auto versions = defined_versions(file, tables);
  const auto symbols = records_at<Elf64_Sym>(file, tables.symbols, tables.symbol_count);
  const auto numbers = records_at<std::uint16_t>(file, tables.versions, tables.versions == 0 ? 0 : symbols.size());
  const auto frozen = frozen_range(file);
  std::vector<exported_symbol> found;
  for (std::uint32_t i = 1; i < symbols.size(); ++i) {
    const Elf64_Sym symbol = symbols[i];
    const unsigned seen = ELF64_ST_VISIBILITY(symbol.st_other);
    const bool is_local = ELF64_ST_BIND(symbol.st_info) == STB_LOCAL || seen == STV_HIDDEN || seen == STV_INTERNAL;
    const std::uint16_t number = numbers.empty() ? std::uint16_t{1} : numbers[i];
    if (symbol.st_shndx == SHN_UNDEF || is_local || (number & 0x7fffU) == 0) continue;
    exported_symbol one{.name = text_at(tables.strings, symbol.st_name),
                        .index = i,
                        .version_index = number,
                        .kind = kind_of(symbol, file, frozen),
                        .raw = symbol};
    if (const auto version = versions.find(number & 0x7fffU); version != versions.end()) one.version = version->second;
    found.push_back(std::move(one));
  }
  return found;
}

std::uint64_t hidden_variables(const elf_view& file, const dynamic_tables& tables,
                               const std::vector<exported_symbol>& exports) {
  const auto frozen = frozen_range(file);
  std::uint64_t bytes = 0;
  for (const load_segment& one : file.loads) {
    if ((one.flags & PF_W) == 0) continue;
    const std::uint64_t end = one.address + one.memory_size;
    const std::uint64_t first = std::max(one.address, frozen.second);
    if (frozen.first < end && frozen.second > one.address) {
      bytes += first < end ? end - first : 0;
    } else {
      bytes += one.memory_size;
    }
  }
  // Lazy binding's own table, which is frozen where all is bound at once; variables with symbols.
  constexpr std::uint64_t in_front = 3;
  const std::uint64_t entries = tables.value(DT_PLTRELSZ).value_or(0) / sizeof(Elf64_Rela) + in_front;
  const std::uint64_t table_at = tables.value(DT_PLTGOT).value_or(0);
  std::uint64_t known = table_at >= frozen.second && table_at != 0 ? entries * sizeof(void*) : 0;
  for (const exported_symbol& one : exports) known += one.kind == symbol_kind::variable ? one.raw.st_size : 0;
  return bytes > known ? bytes - known : 0;
}

table<Elf64_Rela> relocations_of(const elf_view& file, const dynamic_tables& tables, std::int64_t start,
                                 std::int64_t size) {
  const std::uint64_t first = tables.value(start).value_or(0);
  std::uint64_t bytes = tables.value(size).value_or(0);
  // Some linkers count those of the procedure linkage table among all.
  const std::uint64_t plt = tables.value(DT_JMPREL).value_or(0);
  if (start == DT_RELA && plt > first && plt < first + bytes) bytes = plt - first;
  return records_at<Elf64_Rela>(file, first, bytes / sizeof(Elf64_Rela));
}

bool is_relocated(const elf_view& file, const dynamic_tables& tables, std::uint64_t address, std::uint64_t size) {
  const std::array<std::pair<std::int64_t, std::int64_t>, 2> ranges{{{DT_RELA, DT_RELASZ}, {DT_JMPREL, DT_PLTRELSZ}}};
  for (const auto& [start, bytes] : ranges) {
    for (const Elf64_Rela one : relocations_of(file, tables, start, bytes)) {
      if (one.r_offset + 8 > address && one.r_offset < address + size) return true;
    }
  }
  // Packed ones have no easy end: a library that has them is taken to relocate all that is frozen or writable.
  return tables.value(DT_RELR).has_value();
}

}  // namespace autoreload::exec
