// SPDX-License-Identifier: MIT
// bindings: reads a library's relocations, and what the loader has put there.
#include "reload/load/bindings.hpp"

#include <dlfcn.h>
#include <link.h>

#include "elf/dynamic_section.hpp"

namespace autoreload {
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

std::vector<std::string> bound_to_old_versions(const placed_file& lib) {
  std::vector<std::string> found;
  if (dynamic_section_of(lib.file).needed_versions_count != 0) return found;
  for_each_binding(lib, [&](const Elf64_Sym& symbol, const char* name, const void* bound) {
    if (symbol.st_shndx != SHN_UNDEF) return;
    const void* const newest = dlsym(RTLD_DEFAULT, name);
    if (newest == nullptr || newest == bound) return;
    const std::optional<loaded_object> theirs = object_at(newest);
    const std::optional<loaded_object> here = object_at(bound);
    if (theirs && here && theirs->base == here->base) found.emplace_back(name);
  });
  return found;
}

}  // namespace autoreload
