// SPDX-License-Identifier: MIT
// verify: compares the process's memory with what the file promises.
#include "reload/load/verify.hpp"

#include <dlfcn.h>
#include <link.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "elf/dynamic_section.hpp"

namespace autoreload {
namespace {

std::string owner_of(const void* address) {
  Dl_info found{};
  if (dladdr(address, &found) == 0 || found.dli_fname == nullptr || *found.dli_fname == '\0') return "the host";
  const std::string name = found.dli_fname;
  // Only generations are named by their descriptor.
  return name.starts_with("/proc/") && name.find("/fd/") != std::string::npos ? "an older generation" : name;
}

// Where a loaded file lies in memory.
struct placed {
  std::uintptr_t base;
  const elf_view& file;

  [[nodiscard]] const load_segment* segment_of(const void* address) const {
    return file.holding(reinterpret_cast<std::uintptr_t>(address) - base, 1);
  }
};

// The relocations by which the loader put a symbol's address somewhere; others don't look symbols up.
bool binds_an_address(std::uint64_t info) {
  const auto type = ELF64_R_TYPE(info);
#if defined(__x86_64__)
  return type == R_X86_64_JUMP_SLOT || type == R_X86_64_GLOB_DAT;
#else
  return type == R_AARCH64_JUMP_SLOT || type == R_AARCH64_GLOB_DAT;
#endif
}

// Its own global functions and variables that are bound to somebody else's. Weak and unique ones are shared by design.
std::vector<std::string> hijacked(const placed& lib) {
  std::vector<std::string> found;
  const elf_view& file = lib.file;
  const dynamic_section dynamic = dynamic_section_of(file);
  const std::pair<std::uint64_t, std::uint64_t> tables[] = {{dynamic.relocations, dynamic.relocations_size},
                                                            {dynamic.plt_relocations, dynamic.plt_relocations_size}};
  for (const auto& [address, size] : tables) {
    if (size == 0) continue;
    const auto entries = file.table_at<Elf64_Rela>(address, size / sizeof(Elf64_Rela));
    for (const Elf64_Rela one : entries.value_or(table<Elf64_Rela>())) {
      if (!binds_an_address(one.r_info)) continue;
      const auto symbol = file.record_at<Elf64_Sym>(dynamic.symbols + ELF64_R_SYM(one.r_info) * sizeof(Elf64_Sym));
      if (!symbol || symbol->st_shndx == SHN_UNDEF || ELF64_ST_BIND(symbol->st_info) != STB_GLOBAL) continue;
      void* bound = nullptr;
      std::memcpy(&bound, reinterpret_cast<const void*>(lib.base + one.r_offset), sizeof bound);
      if (bound == nullptr || lib.segment_of(bound) != nullptr) continue;
      const auto* const name = reinterpret_cast<const char*>(file.bytes(dynamic.strings + symbol->st_name, 1));
      if (name != nullptr) found.push_back(std::string(name) + " of " + owner_of(bound));
    }
  }
  return found;
}

}  // namespace

verification verify(const detail::loader& api, const std::string& path, const snapshot& image,
                    std::span<const std::byte> bytes, const elf_facts& facts, const detail::erased_module& module) {
  verification result;
  link_map* map = nullptr;
  if (dlinfo(module.handle(), RTLD_DI_LINKMAP, &map) != 0 || image.load_path != map->l_name) {
    result.failure = error(stage::verify, path, "the loader answered with a library that it had, not with the new one");
    return result;
  }
  const elf_view file{bytes, facts.segments, 0};
  const placed lib{map->l_addr, file};
  result.base = map->l_addr;

  // Each field of the struct is one pointer, in the order of the symbols (see symbol.hpp). What the library lacks has
  // its stand-in there, as all have in the struct for when nothing is loaded.
  std::vector<missing_symbol> foreign;
  for (std::size_t i = 0; i < api.symbols.size(); ++i) {
    const symbol_info& symbol = api.symbols[i];
    auto* const field = static_cast<std::byte*>(const_cast<void*>(module.table())) + i * sizeof(void*);
    void* address = nullptr;
    void* absent = nullptr;
    std::memcpy(&address, field, sizeof address);
    std::memcpy(&absent, static_cast<const std::byte*>(api.not_loaded) + i * sizeof(void*), sizeof absent);
    if (address == absent) continue;
    const load_segment* const segment = lib.segment_of(address);
    const bool fits = segment != nullptr && (!symbol.function || (segment->flags & PF_X) != 0);
    if (fits) continue;
    const std::string declaration = symbol.declaration(symbol.name);
    if (symbol.required) {
      foreign.push_back({symbol.name,
                         declaration + (segment != nullptr ? ", which is no function there"
                                                           : ", which only " + owner_of(address) + " has"),
                         {}});
    } else {
      // Nobody has seen this struct yet. The object itself is not const: bind() made it with new.
      std::memcpy(field, &absent, sizeof absent);
      if (segment == nullptr) {
        result.warnings.push_back("optional " + declaration + " is not in this library but in " + owner_of(address) +
                                  ": taken as absent");
      } else {
        result.warnings.push_back("optional " + declaration + " is no function in this library: taken as absent");
      }
    }
  }
  if (!foreign.empty()) {
    result.failure = error(stage::verify, path, "required symbols are not this library's own")
                         .missing(std::move(foreign))
                         .advise("define and export them in this library");
    return result;
  }
  if (const std::vector<std::string> stolen = hijacked(lib); !stolen.empty()) {
    std::string text = "its own " + std::to_string(stolen.size()) + " symbol(s) are bound to others of the same name:";
    for (std::size_t i = 0; i < std::min<std::size_t>(stolen.size(), 5); ++i) text += (i == 0 ? " " : ", ") + stolen[i];
    text += "; link with -Wl,-Bsymbolic, or compile with -fvisibility=hidden";
    result.warnings.push_back(std::move(text));
  }
  return result;
}

}  // namespace autoreload
