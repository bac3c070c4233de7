// SPDX-License-Identifier: MIT
// bindings: reads a library's relocations, and what the loader has put there.
#include "reload/load/bindings.hpp"

#include <dlfcn.h>
#include <link.h>

#include <cstring>
#include <utility>

#include "elf/dynamic_section.hpp"

namespace autoreload {
namespace {

// The relocations by which the loader put a symbol's address somewhere; others don't look symbols up.
bool binds_an_address(std::uint64_t info) {
  const auto type = ELF64_R_TYPE(info);
#if defined(__x86_64__)
  return type == R_X86_64_JUMP_SLOT || type == R_X86_64_GLOB_DAT;
#else
  return type == R_AARCH64_JUMP_SLOT || type == R_AARCH64_GLOB_DAT;
#endif
}

}  // namespace

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

void for_each_binding(const placed_file& lib,
                      const std::function<void(const Elf64_Sym&, const char*, const void*)>& tell) {
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
      const auto* const name =
          reinterpret_cast<const char*>(symbol ? file.bytes(dynamic.strings + symbol->st_name, 1) : nullptr);
      void* bound = nullptr;
      std::memcpy(&bound, reinterpret_cast<const void*>(lib.base + one.r_offset), sizeof bound);
      if (name != nullptr && bound != nullptr) tell(*symbol, name, bound);
    }
  }
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
