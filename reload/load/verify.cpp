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
#include "reload/dependencies/packaged.hpp"
#include "reload/load/bindings.hpp"

namespace autoreload {
namespace {

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

// Its own global functions and variables that are bound to somebody else's. Weak and unique ones are shared by design.
std::vector<std::string> hijacked(const placed_file& lib, const std::string& path) {
  std::vector<std::string> found;
  for_each_binding(lib, [&](const Elf64_Sym& symbol, const char* name, const void* bound) {
    if (symbol.st_shndx == SHN_UNDEF || ELF64_ST_BIND(symbol.st_info) != STB_GLOBAL) return;
    if (lib.segment_of(bound) != nullptr) return;
    found.push_back(std::string(name) + " of " + owner_of(object_at(bound), path));
  });
  return found;
}

// The first few of these, for a person.
std::string first_of(const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t i = 0; i < std::min<std::size_t>(names.size(), 5); ++i) text += (i == 0 ? " " : ", ") + names[i];
  return text;
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
  const placed_file lib{map->l_addr, file};
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
  if (const std::vector<std::string> old = bound_to_old_versions(lib); !old.empty()) {
    result.warnings.push_back("it was linked without the libraries that it uses, so " + std::to_string(old.size()) +
                              " name(s) are bound to older versions than the program's:" + first_of(old) +
                              "; link it with them (-lc)");
  }
  if (api.host != nullptr) return result;  // what is bound elsewhere is so by its wish
  if (const std::vector<std::string> stolen = hijacked(lib, path); !stolen.empty()) {
    result.warnings.push_back("its own " + std::to_string(stolen.size()) +
                              " symbol(s) are bound to others of the same name:" + first_of(stolen) +
                              "; link with -Wl,-Bsymbolic, or compile with -fvisibility=hidden");
  }
  return result;
}

}  // namespace autoreload
