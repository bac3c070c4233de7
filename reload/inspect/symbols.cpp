// SPDX-License-Identifier: MIT
// inspect_symbols: the pass over the dynamic symbols, each of which dlsym may answer.
#include <algorithm>
#include <utility>

#include "reload/inspect/plain_symbols.hpp"

namespace autoreload::inspecting {
namespace {

constexpr std::size_t listed_unique_symbols = 8;
constexpr unsigned variant_call = 0x80;  // STO_AARCH64_VARIANT_PCS

// What code that was compiled with -fsanitize= calls first.
constexpr std::pair<std::string_view, const char*> sanitizers[] = {
    {"__asan_init", "address"}, {"__tsan_init", "thread"}, {"__msan_init", "memory"}, {"__hwasan_init", "hwaddress"}};

// The symbol names its section, but tools that move sections about leave the old number behind. Most are in the same
// section as the one before.
class sections_of_symbols {
 public:
  explicit sections_of_symbols(const table<Elf64_Shdr>& sections) : sections_(sections) {}

  [[nodiscard]] bool hold(const Elf64_Sym& symbol) {
    const unsigned type = ELF64_ST_TYPE(symbol.st_info);
    const std::uint64_t needs = SHF_ALLOC | (type == STT_FUNC || type == STT_GNU_IFUNC ? SHF_EXECINSTR : 0);
    const auto inside = [&](const Elf64_Shdr& section) {
      return (section.sh_flags & needs) == needs && symbol.st_value >= section.sh_addr &&
             symbol.st_size <= section.sh_size && symbol.st_value - section.sh_addr <= section.sh_size - symbol.st_size;
    };
    if (sections_.empty() || inside(last_)) return true;
    if (symbol.st_shndx < sections_.size() && inside(last_ = sections_[symbol.st_shndx])) return true;
    return std::any_of(sections_.begin(), sections_.end(), inside);
  }
  /// Where the last one's code was.
  [[nodiscard]] address_window code() const noexcept {
    if (sections_.empty()) return {0, UINT64_MAX};
    constexpr std::uint64_t needs = SHF_ALLOC | SHF_EXECINSTR;
    return (last_.sh_flags & needs) == needs ? address_window{last_.sh_addr, last_.sh_size} : address_window{};
  }

 private:
  const table<Elf64_Shdr>& sections_;
  Elf64_Shdr last_{};  // its flags say that nothing is in it
};

// What the library may ask the loader for.
void note_use_of_loader(std::string_view name, elf_facts& facts) {
  if (!name.starts_with("dl")) return;
  facts.asks_where_it_is |= name.starts_with("dladdr") || name == "dlinfo";
  facts.opens_others |= name == "dlopen" || name == "dlmopen";
}

// The functions' code, and where their size says it ends.
outcome function_is_there(const image& lib, const Elf64_Sym& symbol, const char* name) {
  const auto around = lib.function_around(symbol.st_value);
  // As nearly always: the unwind table has this very function, whose code was looked at.
  if (around && around->start == symbol.st_value && around->end - around->start == symbol.st_size) return passed;
  if (lib.cuts_a_function(symbol.st_value, symbol.st_size)) {
    return damaged("the function " + in_quotes(name) + ", " + grouped(symbol.st_size) + " bytes at " +
                   hex(symbol.st_value) + ", has only a part of another's code");
  }
  return code_is_written(lib, symbol.st_value, symbol.st_size, name);
}

}  // namespace

bool is_defined(const Elf64_Sym& symbol) { return symbol.st_shndx != SHN_UNDEF; }

// The loader passes hidden symbols over when it looks for a name. ld.bfd leaves some among the others: where a section
// starts and stops, in every registry that is made of a section.
bool is_exported(const Elf64_Sym& symbol) {
  const unsigned visibility = ELF64_ST_VISIBILITY(symbol.st_other);
  return is_defined(symbol) && ELF64_ST_BIND(symbol.st_info) != STB_LOCAL && visibility != STV_HIDDEN &&
         visibility != STV_INTERNAL;
}

outcome symbols_are_inside(image& lib) {
  std::vector<std::string>& unique = lib.answer.facts.unique_symbols;
  // Relocations without a symbol use the first one.
  const Elf64_Sym none = lib.symbols[0];
  if (none.st_name != 0 || none.st_info != 0 || none.st_shndx != SHN_UNDEF || none.st_value != 0) {
    return damaged("the first symbol, which stands for none, is not zeros");
  }
  segment_memory segments(lib), text(lib);
  sections_of_symbols sections(lib.sections);
  plain_symbols plain(lib);
  for (std::size_t i = 1; i != lib.symbols.size(); ++i) {
    const Elf64_Sym symbol = lib.symbols[i];
    if (plain.takes(i, symbol)) continue;
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
    if (*name == 'd') note_use_of_loader(name, lib.answer.facts);
    const unsigned visibility = ELF64_ST_VISIBILITY(symbol.st_other);
    const unsigned others = symbol.st_other & ~3u & ~(lib.machine == elf_machine::aarch64 ? variant_call : 0u);
    if (others != 0) return damaged("symbol " + in_quotes(name) + " has unknown bits, " + hex(symbol.st_other));
    if (!is_defined(symbol)) {
      // The loader would take such a one for the library's own and use its value. Of weak ones gold and lld leave some
      // behind: where a section that nobody made would start, say.
      if (binding == STB_LOCAL || (visibility != STV_DEFAULT && binding != STB_WEAK) || symbol.st_value != 0) {
        return damaged("symbol " + in_quotes(name) + " is neither defined nor to be looked up elsewhere");
      }
      for (const auto& [function, word] : sanitizers) {
        if (function == name) lib.answer.facts.sanitizer = word;
      }
      if (std::string_view(name).starts_with("__cxa_thread_atexit")) lib.answer.facts.thread_destructors = true;
      continue;
    }
    if (lib.dynamic.has(DT_GNU_HASH) && is_exported(symbol) && i < lib.first_hashed) {
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
      if (!text.in_code(symbol.st_value) || text.holding(symbol.st_value, symbol.st_size) == nullptr) {
        return damaged("the function " + in_quotes(name) + " is at " + hex(symbol.st_value) + ", where no code is");
      }
      if (auto no = function_is_there(lib, symbol, name)) return no;
    } else if (segments.holding(symbol.st_value, symbol.st_size) == nullptr) {
      return damaged("the symbol " + in_quotes(name) + ", " + grouped(symbol.st_size) + " bytes at " +
                     hex(symbol.st_value) + ", is outside of the segments");
    }
    if (type != STT_TLS && type != STT_NOTYPE && !sections.hold(symbol)) {
      return damaged("the symbol " + in_quotes(name) + ", " + grouped(symbol.st_size) + " bytes at " +
                     hex(symbol.st_value) + ", is not inside a section");
    }
    if (type == STT_FUNC) plain.last_was_in(text.code(), sections.code());
    if (binding == STB_GNU_UNIQUE && unique.size() < listed_unique_symbols) unique.emplace_back(name);
  }
  return passed;
}

}  // namespace autoreload::inspecting
