// SPDX-License-Identifier: MIT
// loaded_standin: asks the loader's list.
#include "exec/loaded_standin.hpp"

#include <dlfcn.h>

namespace autoreload::exec {

standin_header* header_of(const link_map& library) {
  if (library.l_ld == nullptr) return nullptr;
  for (const ElfW(Dyn)* entry = library.l_ld; entry->d_tag != DT_NULL; ++entry) {
    if (entry->d_tag != standin_tag) continue;
    auto* const header = reinterpret_cast<standin_header*>(library.l_addr + entry->d_un.d_ptr);
    return header->magic == standin_header::expected ? header : nullptr;
  }
  return nullptr;
}

loaded_standin standin_of(void* handle) {
  link_map* library = nullptr;
  if (handle == nullptr || dlinfo(handle, RTLD_DI_LINKMAP, &library) != 0) return {};
  return {.header = header_of(*library), .handle = handle, .file = library->l_name};
}

std::vector<loaded_standin> standins_at_start() {
  std::vector<loaded_standin> found;
  void* const program = dlopen(nullptr, RTLD_NOW);
  link_map* library = nullptr;
  if (program == nullptr || dlinfo(program, RTLD_DI_LINKMAP, &library) != 0) return found;
  for (; library != nullptr; library = library->l_next) {
    if (header_of(*library) == nullptr) continue;
    loaded_standin one = standin_of(dlopen(library->l_name, RTLD_NOLOAD | RTLD_NOW));
    one.is_global = true;
    if (one.header != nullptr) found.push_back(std::move(one));
  }
  return found;
}

}  // namespace autoreload::exec
