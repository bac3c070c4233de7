// SPDX-License-Identifier: MIT
// function_place: the function that an address of a library belongs to, by its symbols.
#include "crash/source_place.hpp"
#include "elf/sections.hpp"

namespace autoreload {
namespace {

function_place find_in(const elf_sections& sections, std::string_view name, std::uint64_t address) noexcept {
  Elf64_Shdr section;
  Elf64_Shdr strings;
  if (!sections.find(name, section) || !sections.at(section.sh_link, strings)) return {};
  const file_bytes symbols = sections.content(section);
  const file_bytes names = sections.content(strings);

  // The nearest symbol that starts at or before the address and reaches it. Hand-written assembly often tells no size:
  // it reaches to the end of its section.
  function_place best;
  std::uint64_t best_start = 0;
  bool best_global = false;
  Elf64_Sym symbol;
  for (std::uint64_t i = 1; read_record(symbols, i, symbol); ++i) {
    const unsigned type = ELF64_ST_TYPE(symbol.st_info);
    if (type != STT_FUNC && type != STT_GNU_IFUNC) continue;
    if (symbol.st_shndx == SHN_UNDEF || symbol.st_value > address) continue;
    Elf64_Shdr home;
    const std::uint64_t into = address - symbol.st_value;
    if (symbol.st_size != 0 ? into >= symbol.st_size
                            : !sections.at(symbol.st_shndx, home) || address - home.sh_addr >= home.sh_size) {
      continue;
    }
    const bool global = ELF64_ST_BIND(symbol.st_info) != STB_LOCAL;
    const bool better = best.name.empty() || symbol.st_value > best_start ||
                        (symbol.st_value == best_start && global && !best_global);  // an alias people know
    if (!better) continue;
    const std::string_view text = string_at(names, symbol.st_name);
    if (text.empty()) continue;
    best = {text, into};
    best_start = symbol.st_value;
    best_global = global;
  }
  return best;
}

}  // namespace

function_place find_function(file_bytes file, std::uint64_t address) noexcept {
  const elf_sections sections(file);
  const function_place found = find_in(sections, ".symtab", address);
  return found.name.empty() ? find_in(sections, ".dynsym", address) : found;
}

}  // namespace autoreload
