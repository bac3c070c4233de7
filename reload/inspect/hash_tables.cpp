// SPDX-License-Identifier: MIT
// inspect_hash_tables: the passes over the hash tables, by which the loader finds a symbol's name.
#include <algorithm>

#include "elf/gnu_hash_table.hpp"
#include "reload/inspect/passes.hpp"

namespace autoreload::inspecting {
namespace {

// DT_HASH: the numbers of buckets and symbols, the first symbol of each bucket, and each symbol's successor.
struct sysv_hash_table {
  table<std::uint32_t> buckets, chains;

  [[nodiscard]] static std::optional<sysv_hash_table> read(const image& lib, std::uint64_t address) {
    const auto words = lib.table_at<std::uint32_t>(address, 2);
    if (!words) return std::nullopt;
    const auto buckets = lib.table_at<std::uint32_t>(address + 8, (*words)[0]);
    const auto chains =
        lib.table_at<std::uint32_t>(address + 8 + std::uint64_t{(*words)[0]} * sizeof(std::uint32_t), (*words)[1]);
    if (!buckets || !chains) return std::nullopt;
    return sysv_hash_table{*buckets, *chains};
  }
};

// With nothing to find by name, no hash table counts the symbols: then they end where the next table begins.
std::uint64_t symbols_until_the_next_table(const image& lib) {
  const std::uint64_t start = lib.dynamic[DT_SYMTAB];
  const load_segment* const load = lib.holding(start, 1);
  if (load == nullptr) return 0;
  std::uint64_t end = load->address + load->file_size;
  for (const std::int64_t tag :
       {DT_STRTAB, DT_HASH, DT_GNU_HASH, DT_VERSYM, DT_VERNEED, DT_VERDEF, DT_RELA, DT_JMPREL, DT_RELR, DT_INIT}) {
    if (lib.dynamic[tag] > start) end = std::min(end, lib.dynamic[tag]);
  }
  return end <= start ? 0 : (end - start) / sizeof(Elf64_Sym);
}

// A symbol where the hash table has it.
struct hashed_symbol {
  std::size_t index;
  Elf64_Sym symbol;
  const char* name;
  std::uint32_t hash;  // by its name
  std::uint32_t word;  // of the table
  bool starts;         // a chain

  [[nodiscard]] bool is_exported() const noexcept {
    return symbol.st_shndx != SHN_UNDEF && ELF64_ST_BIND(symbol.st_info) != STB_LOCAL;
  }
  [[nodiscard]] bool is_counted_right(const gnu_hash_table& table) const noexcept {
    return ((word ^ hash) & ~1u) == 0 && table.may_have(hash);
  }
};

outcome what_is_wrong(const hashed_symbol& found, const gnu_hash_table& table) {
  const std::string name = in_quotes(found.name);
  if (!found.is_exported()) return damaged("symbol " + name + " is in the hash table, but is not exported");
  if (!found.is_counted_right(table)) return damaged("the hash table has another hash for " + name);
  if (found.starts) return damaged("the hash table's bucket for " + name + " does not lead to it");
  return damaged("the hash table has " + name + " in the wrong bucket");
}

// What the loader does to find a name, done for every name: whatever a damaged table hides is noticed.
outcome names_are_in_gnu_hash(const image& lib) {
  const gnu_hash_table hash = *gnu_hash_table::read(lib, lib.dynamic[DT_GNU_HASH]);
  const auto buckets = static_cast<std::uint32_t>(hash.buckets.size());
  const std::size_t hashed = lib.symbols.size() - std::min(lib.first_hashed, lib.symbols.size());
  const auto words = lib.table_at<std::uint32_t>(hash.chains + (lib.first_hashed - hash.first_symbol) * 4, hashed);
  if (!words) return damaged("the hash table's chains are not in a segment");
  std::size_t chains = 0;
  std::uint32_t bucket = 0;
  bool starts = true;
  for (std::size_t left = hashed; left != 0; --left) {
    const std::size_t i = lib.symbols.size() - left;
    const Elf64_Sym symbol = lib.symbols[i];
    const char* const name = lib.strings.at(symbol.st_name);
    const hashed_symbol found{i, symbol, name, gnu_hash(name, lib.strings.end()), (*words)[hashed - left], starts};
    const std::uint32_t its_bucket = found.hash % buckets;
    const bool in_place = starts ? hash.buckets[its_bucket] == i : its_bucket == bucket;
    if (!(found.is_exported() && found.is_counted_right(hash) && in_place)) return what_is_wrong(found, hash);
    bucket = its_bucket;
    chains += starts;
    starts = (found.word & 1) != 0;
  }
  std::size_t used = 0;
  for (const std::uint32_t first : hash.buckets) used += first != 0;
  if (!starts || used != chains) {
    return damaged("the hash table has " + grouped(used) + " buckets in use, but " + grouped(chains) + " chains");
  }
  return passed;
}

outcome names_are_in_sysv_hash(const image& lib) {
  const sysv_hash_table hash = *sysv_hash_table::read(lib, lib.dynamic[DT_HASH]);
  std::size_t found = 0, to_find = 0;
  for (std::size_t bucket = 0; bucket != hash.buckets.size(); ++bucket) {
    for (std::uint32_t at = hash.buckets[bucket]; at != 0; at = hash.chains[at]) {
      const char* const name = lib.strings.at(lib.symbols[at].st_name);
      if (sysv_hash(name) % hash.buckets.size() != bucket) {
        return damaged("the hash table has " + in_quotes(name) + " in the wrong bucket");
      }
      if (is_defined(lib.symbols[at])) ++found;
    }
  }
  for (std::size_t i = 1; i != lib.symbols.size(); ++i) {
    if (is_exported(lib.symbols[i])) ++to_find;
  }
  if (found < to_find) {
    return damaged("the hash table leads to " + grouped(found) + " of " + grouped(to_find) + " symbols");
  }
  return passed;
}

}  // namespace

std::uint32_t sysv_hash(const char* name) noexcept {
  std::uint32_t hash = 0;
  for (; *name != '\0'; ++name) {
    hash = (hash << 4) + static_cast<unsigned char>(*name);
    hash ^= (hash >> 24) & 0xf0;
  }
  return hash & 0x0fffffff;
}

outcome hash_table_is_walkable(image& lib) {
  std::uint64_t count = 0;
  const bool by_gnu_hash = lib.dynamic.has(DT_GNU_HASH);
  if (!by_gnu_hash && !lib.dynamic.has(DT_HASH)) {
    return damaged("it has no hash table, so nothing in it can be found by name");
  }
  lib.first_hashed = 1;
  if (by_gnu_hash) {
    const auto hash = gnu_hash_table::read(lib, lib.dynamic[DT_GNU_HASH]);
    if (!hash) return damaged("the hash table at " + hex(lib.dynamic[DT_GNU_HASH]) + " is not in a segment");
    const std::uint64_t words = hash->bloom.size();
    if (hash->buckets.empty() && words == 0) {
      return unfinished("the hash table at " + hex(lib.dynamic[DT_GNU_HASH]) + " is still zeros");
    }
    // The loader asserts this, which would end the process.
    if (words == 0 || (words & (words - 1)) != 0 || hash->shift >= 32 || hash->buckets.empty()) {
      return damaged("the hash table has a filter of " + grouped(words) + " words, shifted by " + grouped(hash->shift) +
                     ", and " + grouped(hash->buckets.size()) + " buckets");
    }
    std::uint32_t last = 0;
    for (const std::uint32_t first : hash->buckets) {
      if (first != 0 && first < hash->first_symbol) {
        return damaged("a bucket of the hash table begins with symbol " + grouped(first) + ", before the first, " +
                       grouped(hash->first_symbol));
      }
      last = std::max(last, first);
    }
    lib.first_hashed = std::max<std::size_t>(hash->first_symbol, 1);
    if (last != 0) {
      for (bool end = false; !end; ++last) {
        const auto word = lib.record_at<std::uint32_t>(hash->chains + std::uint64_t{last - hash->first_symbol} * 4);
        if (!word) return damaged("the hash table's last chain does not end");
        end = (*word & 1) != 0;
      }
      count = last;
    } else {
      lib.first_hashed = SIZE_MAX;  // nothing can be found by name
    }
  }
  if (lib.dynamic.has(DT_HASH)) {
    const auto hash = sysv_hash_table::read(lib, lib.dynamic[DT_HASH]);
    if (!hash) return damaged("the hash table at " + hex(lib.dynamic[DT_HASH]) + " is not in a segment");
    if (hash->buckets.empty() && hash->chains.empty()) {
      return unfinished("the hash table at " + hex(lib.dynamic[DT_HASH]) + " is still zeros");
    }
    if (hash->buckets.empty() || (count != 0 && hash->chains.size() != count)) {
      return damaged("the hash table has " + grouped(hash->buckets.size()) + " buckets and " +
                     grouped(hash->chains.size()) + " symbols");
    }
    count = hash->chains.size();
    // Each symbol is in one chain at most, so a walk over all chains that takes more steps goes in circles.
    std::size_t steps = 0;
    for (const std::uint32_t first : hash->buckets) {
      for (std::uint32_t at = first; at != 0; at = hash->chains[at]) {
        if (at >= hash->chains.size() || ++steps > hash->chains.size()) {
          return damaged("a chain of the hash table leads to symbol " + grouped(at) + " of " +
                         grouped(hash->chains.size()) + " or goes in circles");
        }
      }
    }
  }
  if (count == 0) count = symbols_until_the_next_table(lib);
  const auto symbols = lib.table_at<Elf64_Sym>(lib.dynamic[DT_SYMTAB], count);
  if (!symbols || symbols->empty()) {
    return damaged("the symbol table, " + grouped(count) + " symbols at " + hex(lib.dynamic[DT_SYMTAB]) +
                   ", is not in a segment");
  }
  for (const Elf64_Shdr section : lib.sections) {
    if (section.sh_type == SHT_DYNSYM && section.sh_size != count * sizeof(Elf64_Sym)) {
      return damaged("the hash table has " + grouped(count) + " symbols, the section table " +
                     grouped(section.sh_size / sizeof(Elf64_Sym)));
    }
  }
  lib.symbols = *symbols;
  lib.first_hashed = std::min<std::size_t>(lib.first_hashed, symbols->size());
  return passed;
}

outcome names_can_be_found(image& lib) {
  return lib.dynamic.has(DT_GNU_HASH) ? names_are_in_gnu_hash(lib) : names_are_in_sysv_hash(lib);
}

}  // namespace autoreload::inspecting
