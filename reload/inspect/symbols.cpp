// SPDX-License-Identifier: MIT
// inspect_symbols: the passes over hash tables, symbols and versions, by which the loader finds names.
#include <algorithm>

#include "reload/inspect/passes.hpp"

namespace autoreload::inspecting {
namespace {

constexpr std::size_t listed_unique_symbols = 8;
constexpr unsigned variant_call = 0x80;    // STO_AARCH64_VARIANT_PCS
constexpr unsigned version_bits = 0x7fff;  // of a symbol's version; the highest hides it

std::uint32_t gnu_hash(const char* name) noexcept {
  std::uint32_t hash = 5381;
  for (; *name != '\0'; ++name) hash = hash * 33 + static_cast<unsigned char>(*name);
  return hash;
}

std::uint32_t sysv_hash(const char* name) noexcept {
  std::uint32_t hash = 0;
  for (; *name != '\0'; ++name) {
    hash = (hash << 4) + static_cast<unsigned char>(*name);
    hash ^= (hash >> 24) & 0xf0;
  }
  return hash & 0x0fffffff;
}

// DT_GNU_HASH: four words, the Bloom filter, the first symbol of each bucket, and the hash of every symbol from
// first_hashed on, whose lowest bit ends a bucket.
struct gnu_hash_table {
  std::uint32_t first_symbol = 0;
  std::uint32_t shift = 0;
  table<std::uint64_t> bloom;
  table<std::uint32_t> buckets;
  std::uint64_t chains = 0;  // address

  [[nodiscard]] static std::optional<gnu_hash_table> read(const image& lib, std::uint64_t address) {
    const auto words = lib.table_at<std::uint32_t>(address, 4);
    if (!words) return std::nullopt;
    gnu_hash_table hash;
    hash.first_symbol = (*words)[1];
    hash.shift = (*words)[3];
    const std::uint64_t buckets_at = address + 16 + std::uint64_t{(*words)[2]} * sizeof(std::uint64_t);
    hash.chains = buckets_at + std::uint64_t{(*words)[0]} * sizeof(std::uint32_t);
    const auto bloom = lib.table_at<std::uint64_t>(address + 16, (*words)[2]);
    const auto buckets = lib.table_at<std::uint32_t>(buckets_at, (*words)[0]);
    if (!bloom || !buckets) return std::nullopt;
    hash.bloom = *bloom;
    hash.buckets = *buckets;
    return hash;
  }
};

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

std::string in_quotes(const char* name) {
  // A damaged string table's names can be as long as the file.
  const std::string_view text(name);
  return text.size() <= 80 ? '"' + std::string(text) + '"' : '"' + std::string(text.substr(0, 77)) + "...\"";
}

// The symbol names its section, but tools that move sections about leave the old number behind.
bool in_a_section(const image& lib, const Elf64_Sym& symbol) {
  const unsigned type = ELF64_ST_TYPE(symbol.st_info);
  const std::uint64_t needs = SHF_ALLOC | (type == STT_FUNC || type == STT_GNU_IFUNC ? SHF_EXECINSTR : 0);
  const auto inside = [&](const Elf64_Shdr& section) {
    return (section.sh_flags & needs) == needs && symbol.st_value >= section.sh_addr &&
           symbol.st_size <= section.sh_size && symbol.st_value - section.sh_addr <= section.sh_size - symbol.st_size;
  };
  if (symbol.st_shndx < lib.sections.size() && inside(lib.sections[symbol.st_shndx])) return true;
  return std::any_of(lib.sections.begin(), lib.sections.end(), inside);
}

bool defined(const Elf64_Sym& symbol) { return symbol.st_shndx != SHN_UNDEF; }

}  // namespace

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

outcome symbols_are_inside(image& lib) {
  std::vector<std::string>& unique = lib.answer.facts.unique_symbols;
  // Relocations without a symbol use the first one.
  const Elf64_Sym none = lib.symbols[0];
  if (none.st_name != 0 || none.st_info != 0 || none.st_shndx != SHN_UNDEF || none.st_value != 0) {
    return damaged("the first symbol, which stands for none, is not zeros");
  }
  for (std::size_t i = 1; i != lib.symbols.size(); ++i) {
    const Elf64_Sym symbol = lib.symbols[i];
    const char* const name = lib.strings.at(symbol.st_name);
    const unsigned type = ELF64_ST_TYPE(symbol.st_info), binding = ELF64_ST_BIND(symbol.st_info);
    if (name == nullptr) {
      return damaged("symbol " + grouped(i) + "'s name is at byte " + grouped(symbol.st_name) +
                     " of a string table of " + grouped(lib.strings.size()));
    }
    if ((type > STT_TLS && type != STT_GNU_IFUNC) || (binding > STB_WEAK && binding != STB_GNU_UNIQUE)) {
      return damaged("symbol " + grouped(i) + " is of an unknown kind, " + hex(symbol.st_info));
    }
    if (symbol.st_info == 0 && symbol.st_name == 0) return unfinished("symbol " + grouped(i) + " is still zeros");
    const unsigned visibility = ELF64_ST_VISIBILITY(symbol.st_other);
    const unsigned others = symbol.st_other & ~3u & ~(lib.machine == elf_machine::aarch64 ? variant_call : 0u);
    if (others != 0 || (binding != STB_LOCAL && (visibility == STV_HIDDEN || visibility == STV_INTERNAL))) {
      return damaged("symbol " + in_quotes(name) + " is hidden, but stands among the exported ones");
    }
    if (!defined(symbol)) {
      // The loader would take such a one for the library's own and use its value.
      if (binding == STB_LOCAL || visibility != STV_DEFAULT || symbol.st_value != 0) {
        return damaged("symbol " + in_quotes(name) + " is neither defined nor to be looked up elsewhere");
      }
      continue;
    }
    if (lib.dynamic.has(DT_GNU_HASH) && binding != STB_LOCAL && i < lib.first_hashed) {
      return damaged("symbol " + in_quotes(name) + " is defined, but not in the hash table");
    }
    // Rust gives the name of its metadata, which is not loaded, the address 0: the loader takes such a one for
    // undefined.
    if (symbol.st_shndx == SHN_ABS || (symbol.st_value == 0 && type == STT_OBJECT)) continue;
    if (symbol.st_shndx >= SHN_LORESERVE && symbol.st_shndx != SHN_XINDEX) {
      return damaged("symbol " + in_quotes(name) + " is in section " + hex(symbol.st_shndx));
    }
    if (type == STT_TLS) {
      if (!lib.tls || symbol.st_size > lib.tls->p_memsz || symbol.st_value > lib.tls->p_memsz - symbol.st_size) {
        return damaged("the thread-local variable " + in_quotes(name) + " is outside of the thread-local data");
      }
    } else if (type == STT_FUNC || type == STT_GNU_IFUNC) {
      if (!lib.in_code(symbol.st_value) || lib.holding(symbol.st_value, symbol.st_size) == nullptr) {
        return damaged("the function " + in_quotes(name) + " is at " + hex(symbol.st_value) + ", where no code is");
      }
      if (lib.cuts_a_function(symbol.st_value, symbol.st_size)) {
        return damaged("the function " + in_quotes(name) + ", " + grouped(symbol.st_size) + " bytes at " +
                       hex(symbol.st_value) + ", has only a part of another's code");
      }
      if (!is_written(lib, symbol.st_value, symbol.st_size)) {
        return unfinished("parts of the function " + in_quotes(name) + " at " + hex(symbol.st_value) +
                          " are still zeros");
      }
    } else if (lib.holding(symbol.st_value, symbol.st_size) == nullptr) {
      return damaged("the symbol " + in_quotes(name) + ", " + grouped(symbol.st_size) + " bytes at " +
                     hex(symbol.st_value) + ", is outside of the segments");
    }
    if (type != STT_TLS && type != STT_NOTYPE && !lib.sections.empty() && !in_a_section(lib, symbol)) {
      return damaged("the symbol " + in_quotes(name) + ", " + grouped(symbol.st_size) + " bytes at " +
                     hex(symbol.st_value) + ", is not inside a section");
    }
    if (binding == STB_GNU_UNIQUE && unique.size() < listed_unique_symbols) unique.emplace_back(name);
  }
  return passed;
}

outcome names_can_be_found(image& lib) {
  // What the loader does to find a name, done for every name: whatever a damaged table hides is noticed.
  if (lib.dynamic.has(DT_GNU_HASH)) {
    const gnu_hash_table hash = *gnu_hash_table::read(lib, lib.dynamic[DT_GNU_HASH]);
    const auto buckets = static_cast<std::uint32_t>(hash.buckets.size());
    const std::size_t filter = hash.bloom.size() - 1;
    std::size_t chains = 0;
    std::uint32_t bucket = buckets;  // none
    for (std::size_t i = lib.first_hashed; i < lib.symbols.size(); ++i) {
      const char* const name = lib.strings.at(lib.symbols[i].st_name);
      if (!defined(lib.symbols[i]) || ELF64_ST_BIND(lib.symbols[i].st_info) == STB_LOCAL) {
        return damaged("symbol " + in_quotes(name) + " is in the hash table, but is not exported");
      }
      const std::uint32_t expected = gnu_hash(name);
      const auto word = lib.record_at<std::uint32_t>(hash.chains + (i - hash.first_symbol) * 4);
      const std::uint64_t bits = std::uint64_t{1} << (expected % 64) | std::uint64_t{1}
                                                                           << ((expected >> hash.shift) % 64);
      if (!word || (*word | 1) != (expected | 1) || (hash.bloom[(expected / 64) & filter] & bits) != bits) {
        return damaged("the hash table has another hash for " + in_quotes(name));
      }
      const bool starts = bucket == buckets;
      if (starts) {
        bucket = expected % buckets;
        ++chains;
        if (hash.buckets[bucket] != i) {
          return damaged("the hash table's bucket for " + in_quotes(name) + " does not lead to it");
        }
      }
      if (expected % buckets != bucket) {
        return damaged("the hash table has " + in_quotes(name) + " in the wrong bucket");
      }
      if ((*word & 1) != 0) bucket = buckets;
    }
    std::size_t used = 0;
    for (const std::uint32_t first : hash.buckets) used += first != 0;
    if (bucket != buckets || used != chains) {
      return damaged("the hash table has " + grouped(used) + " buckets in use, but " + grouped(chains) + " chains");
    }
    return passed;
  }
  const sysv_hash_table hash = *sysv_hash_table::read(lib, lib.dynamic[DT_HASH]);
  std::size_t found = 0, to_find = 0;
  for (std::size_t bucket = 0; bucket != hash.buckets.size(); ++bucket) {
    for (std::uint32_t at = hash.buckets[bucket]; at != 0; at = hash.chains[at]) {
      const char* const name = lib.strings.at(lib.symbols[at].st_name);
      if (sysv_hash(name) % hash.buckets.size() != bucket) {
        return damaged("the hash table has " + in_quotes(name) + " in the wrong bucket");
      }
      if (defined(lib.symbols[at])) ++found;
    }
  }
  for (std::size_t i = 1; i != lib.symbols.size(); ++i) {
    if (defined(lib.symbols[i]) && ELF64_ST_BIND(lib.symbols[i].st_info) != STB_LOCAL) ++to_find;
  }
  if (found < to_find) {
    return damaged("the hash table leads to " + grouped(found) + " of " + grouped(to_find) + " symbols");
  }
  return passed;
}

outcome versions_are_whole(image& lib) {
  if (!lib.dynamic.has(DT_VERSYM)) return passed;
  std::bitset<version_bits + 1> known;  // by index; the loader keeps an array of them and trusts each index
  known[VER_NDX_LOCAL] = known[VER_NDX_GLOBAL] = true;
  const elf_facts& facts = lib.answer.facts;
  if (lib.dynamic[DT_VERNEEDNUM] == 0 && lib.dynamic[DT_VERDEFNUM] == 0) {
    return damaged("its symbols have versions, but no version is there");  // the loader indexes an array it never made
  }

  const auto is_named = [&](std::uint64_t name, std::uint32_t hash) {
    const char* const text = lib.strings.at(name);
    return text != nullptr && sysv_hash(text) == hash;
  };
  // The loader ends its walks at a successor of 0, whatever the count says.
  std::uint64_t at = lib.dynamic[DT_VERNEED];
  for (std::uint64_t left = lib.dynamic[DT_VERNEEDNUM]; left != 0; --left) {
    const auto need = lib.record_at<Elf64_Verneed>(at);
    if (!need || need->vn_version != VER_NEED_CURRENT || (need->vn_next == 0) != (left == 1)) {
      return damaged("the list of needed versions does not end where it should");
    }
    const char* const file = lib.strings.at(need->vn_file);
    // Asserted by the loader: it looks among the libraries that it has loaded for this one.
    if (file == nullptr || std::find(facts.needed.begin(), facts.needed.end(), file) == facts.needed.end()) {
      return damaged("it needs versions of a library that it does not need");
    }
    std::uint64_t entry_at = at + need->vn_aux;
    for (unsigned entries = need->vn_cnt; entries != 0; --entries) {
      const auto entry = lib.record_at<Elf64_Vernaux>(entry_at);
      if (!entry || (entry->vna_next == 0) != (entries == 1) || !is_named(entry->vna_name, entry->vna_hash)) {
        return damaged("a version that it needs of \"" + std::string(file) + "\" has no valid name");
      }
      known[entry->vna_other & version_bits] = true;
      entry_at += entry->vna_next;
    }
    at += need->vn_next;
  }
  at = lib.dynamic[DT_VERDEF];
  for (std::uint64_t left = lib.dynamic[DT_VERDEFNUM]; left != 0; --left) {
    const auto definition = lib.record_at<Elf64_Verdef>(at);
    if (!definition || definition->vd_version != VER_DEF_CURRENT || (definition->vd_next == 0) != (left == 1)) {
      return damaged("the list of its own versions does not end where it should");
    }
    const auto entry = lib.record_at<Elf64_Verdaux>(at + definition->vd_aux);
    if (!entry || !is_named(entry->vda_name, definition->vd_hash)) {
      return damaged("a version of its own has no valid name");
    }
    known[definition->vd_ndx & version_bits] = true;
    at += definition->vd_next;
  }

  const auto versions = lib.table_at<std::uint16_t>(lib.dynamic[DT_VERSYM], lib.symbols.size());
  if (!versions) return damaged("the symbols' versions at " + hex(lib.dynamic[DT_VERSYM]) + " are not in a segment");
  for (std::size_t i = 0; i != versions->size(); ++i) {
    const unsigned index = (*versions)[i] & version_bits;
    const bool findable =
        i >= lib.first_hashed && defined(lib.symbols[i]) && ELF64_ST_BIND(lib.symbols[i].st_info) != STB_LOCAL;
    if (!known[index] || (index == VER_NDX_LOCAL && findable)) {
      return damaged("symbol " + grouped(i) + " has version " + grouped(index) + ", which is not there");
    }
  }
  return passed;
}

}  // namespace autoreload::inspecting
