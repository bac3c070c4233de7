// SPDX-License-Identifier: MIT
// verify: compares the process's memory with what the file promises.
#include "reload/load/verify.hpp"

#include <dlfcn.h>
#include <link.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "crash/crash_table.hpp"
#include "elf/dynamic_section.hpp"
#include "reload/dependencies/packaged.hpp"

namespace autoreload {
namespace {

// What of the process's libraries an address lies in.
struct loaded_object {
  std::string name;                 ///< the loader's; empty for the program
  std::uintptr_t base = 0;          ///< where its address 0 is
  std::uint32_t segment_flags = 0;  ///< PF_R, PF_W, PF_X of the segment
};

std::optional<loaded_object> object_at(const void* address) {
  struct search {
    std::uintptr_t address;
    std::optional<loaded_object> found;
  } wanted{reinterpret_cast<std::uintptr_t>(address), {}};
  dl_iterate_phdr(
      [](dl_phdr_info* object, std::size_t, void* argument) {
        search& here = *static_cast<search*>(argument);
        for (std::size_t i = 0; i < object->dlpi_phnum; ++i) {
          const auto& segment = object->dlpi_phdr[i];
          if (segment.p_type != PT_LOAD || here.address - object->dlpi_addr - segment.p_vaddr >= segment.p_memsz)
            continue;
          here.found = {object->dlpi_name, object->dlpi_addr, segment.p_flags};
          return 1;
        }
        return 0;
      },
      &wanted);
  return wanted.found;
}

// The generation that was loaded at a base, if that is one.
std::optional<std::string> generation_at(std::uintptr_t base, const std::string& path) {
  crash_table::entry one;
  for (std::size_t slot = 0; slot < crash_table::capacity; ++slot) {
    if (!crash_table::read(slot, one) || one.base != base || one.unloaded != 0) continue;
    const std::string generation = "generation " + std::to_string(one.number);
    return path.ends_with(one.path.data()) ? "the older " + generation : generation + " of " + one.path.data();
  }
  return std::nullopt;
}

// In the words of the user, who doesn't know the names of copies.
std::string owner_of(const std::optional<loaded_object>& object, const std::string& path) {
  if (!object || object->name.empty()) return "the host";
  if (const auto generation = generation_at(object->base, path)) return *generation;
  if (const std::string copied = original_name(object->name); !copied.empty()) return "a private copy of " + copied;
  return object->name;
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
std::vector<std::string> hijacked(const placed& lib, const std::string& path) {
  std::vector<std::string> found;
  const elf_view& file = lib.file;
  const dynamic_section dynamic = dynamic_section_of(file);
  const std::uint64_t relative = dynamic.relative_relocations * sizeof(Elf64_Rela);  // inspected: these are there
  const std::pair<std::uint64_t, std::uint64_t> tables[] = {
      {dynamic.relocations + relative, dynamic.relocations_size - relative},
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
      if (name != nullptr) found.push_back(std::string(name) + " of " + owner_of(object_at(bound), path));
    }
  }
  return found;
}

// Why a symbol that lies in another library is not taken. dlsym looks in the library and then in those that it needs,
// so an umbrella library answers for its parts. But every library needs libc: what the system has by a name that was
// removed here is an accident.
std::string why_not(const symbol_info& symbol, const std::optional<loaded_object>& object,
                    std::span<const std::byte> bytes, const std::string& path) {
  const bool code = object && (object->segment_flags & PF_X) != 0;
  const std::vector<std::string> own = exported_names(bytes);
  if (std::find(own.begin(), own.end(), symbol.name) != own.end()) {
    if (symbol.function && code) return {};  // an indirect function's resolver chose it
    return "which " + owner_of(object, path) + " defines for all (STB_GNU_UNIQUE)";
  }
  if (!object || object->name.empty() || is_packaged(object->name))
    return "which only " + owner_of(object, path) + " has";
  if (symbol.function && !code) return "which is no function in " + owner_of(object, path);
  return {};
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
    std::string wrong;
    if (segment == nullptr) {
      wrong = why_not(symbol, object_at(address), bytes, path);
    } else if (symbol.function && (segment->flags & PF_X) == 0) {
      wrong = "which is no function there";
    }
    if (wrong.empty()) continue;
    const std::string declaration = symbol.declaration(symbol.name) + ", " + wrong;
    if (symbol.required) {
      foreign.push_back({symbol.name, declaration, {}});
    } else {
      // Nobody has seen this struct yet. The object itself is not const: bind() made it with new.
      std::memcpy(field, &absent, sizeof absent);
      result.warnings.push_back("optional " + declaration + ": taken as absent");
    }
  }
  if (!foreign.empty()) {
    result.failure = error(stage::verify, path, "required symbols are not this library's own")
                         .missing(std::move(foreign))
                         .advise("define and export them in this library, or in one of yours that it needs");
    return result;
  }
  if (api.host != nullptr) return result;  // what is bound elsewhere is so by its wish
  if (const std::vector<std::string> stolen = hijacked(lib, path); !stolen.empty()) {
    std::string text = "its own " + std::to_string(stolen.size()) + " symbol(s) are bound to others of the same name:";
    for (std::size_t i = 0; i < std::min<std::size_t>(stolen.size(), 5); ++i) text += (i == 0 ? " " : ", ") + stolen[i];
    text += "; link with -Wl,-Bsymbolic, or compile with -fvisibility=hidden";
    result.warnings.push_back(std::move(text));
  }
  return result;
}

}  // namespace autoreload
